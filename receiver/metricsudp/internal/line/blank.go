package line

// TrimBlanks removes ASCII blanks at both ends.
func TrimBlanks(b []byte) []byte {
	for len(b) > 0 && IsBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && IsBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// IsBlank reports whether c is an ASCII blank.
func IsBlank(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' }
