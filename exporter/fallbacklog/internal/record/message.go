package record

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds Meta.Message, in bytes.
const maxMessage = 256

// Message makes a backend's text fit for Meta.Message: valid UTF-8 of at most 256 bytes in which control characters,
// which may write to terminals, are replaced.
func Message(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r // utf8.RuneError for what is no UTF-8
	}, text)
	if len(text) <= maxMessage {
		return text
	}
	cut := maxMessage
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}
