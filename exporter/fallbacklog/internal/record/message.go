package record

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds Meta.Message, in bytes.
const maxMessage = 256

// Message returns a backend's text for Meta.Message: valid UTF-8 of at most 256 bytes. It replaces control characters, which
// could write to a terminal.
func Message(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r // utf8.RuneError for bytes that are not UTF-8
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
