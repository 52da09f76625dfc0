package gatewaystate

import (
	"regexp"
	"strings"
	"unicode"
)

// maxRun bounds the letters or digits of one kind in a row that a shape shows.
const maxRun = 8

var (
	uuidText   = regexp.MustCompile(`^(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$`)
	emailText  = regexp.MustCompile(`^[^\s@]+@[^\s@]+\.[^\s@]+$`)
	numberText = regexp.MustCompile(`^[-+]?[0-9]+([.,][0-9]+)*([eE][-+]?[0-9]+)?$`)
)

var (
	// userinfo matches the credentials of a URL, up to the last @: a password may have signs that belong escaped.
	userinfo = regexp.MustCompile(`(://)\S*@`)
	// query matches the query of a URL, which may have a token.
	query = regexp.MustCompile(`(://[^\s?"]*\?)[^\s"]+`)
)

// Masked stands for a secret.
const Masked = "[masked]"

// MaskURLs returns a text with the credentials and queries of its URLs masked.
func MaskURLs(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	return query.ReplaceAllString(userinfo.ReplaceAllString(s, "${1}"+Masked+"@"), "${1}"+Masked)
}

// Mask returns what a value looks like without what it says: its class, and its shape, in which letters are a or A and
// digits 0.
func Mask(value string) string {
	return class(value) + " " + shape(value)
}

func class(value string) string {
	switch {
	case uuidText.MatchString(value):
		return "uuid"
	case emailText.MatchString(value):
		return "email"
	case numberText.MatchString(value):
		return "number"
	default:
		return "text"
	}
}

// shape shortens runs of more than maxRun letters or digits. Signs outside ASCII become a question mark.
func shape(value string) string {
	var b strings.Builder
	var last rune
	run := 0
	for _, r := range value {
		r = kindOf(r)
		if r != last {
			last, run = r, 0
		}
		run++
		switch letter := r == 'a' || r == 'A' || r == '0'; {
		case b.Len() >= MaxText/4:
			return b.String() + "…"
		case !letter || run <= maxRun:
			b.WriteRune(r)
		case run == maxRun+1:
			b.WriteString("…")
		}
	}
	return b.String()
}

func kindOf(r rune) rune {
	switch {
	case unicode.IsUpper(r):
		return 'A'
	case unicode.IsLetter(r):
		return 'a'
	case unicode.IsDigit(r):
		return '0'
	case r < ' ' || r >= unicode.MaxASCII:
		return '?'
	default:
		return r
	}
}
