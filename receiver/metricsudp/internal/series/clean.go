package series

import (
	"bytes"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// NameCleaning is the way in which names are rewritten to the names that another system would give them. Names that become
// equal are one metric.
type NameCleaning uint8

// The ways to rewrite names.
const (
	CleanNothing    NameCleaning = iota
	CleanEtsy                    // names only: blanks to _, / to -, other characters than A-Z a-z 0-9 _ - . removed
	CleanPrometheus              // names and tag keys: runs of other characters than A-Z a-z 0-9 to one _
)

// appendName appends the cleaned name, which may be empty.
func (c NameCleaning) appendName(to, name []byte) []byte {
	switch c {
	case CleanEtsy:
		return appendEtsyName(to, name)
	case CleanPrometheus:
		return appendPrometheusName(to, name)
	}
	return append(to, name...)
}

// appendEtsyName writes one _ for a run of blanks, as etsy's server does.
func appendEtsyName(to, name []byte) []byte {
	inBlanks := false
	for _, c := range name {
		blank := line.IsBlank(c)
		switch {
		case blank && !inBlanks:
			to = append(to, '_')
		case c == '/':
			to = append(to, '-')
		case isAlphanumeric(c) || c == '_' || c == '-' || c == '.':
			to = append(to, c)
		}
		inBlanks = blank
	}
	return to
}

// appendPrometheusName writes the name that the Prometheus exporters write, without suffixes: they drop a _ at the
// beginning and at the end, and put one before a digit.
func appendPrometheusName(to, name []byte) []byte {
	start := len(to)
	to = appendUnderscored(to, name)
	cleaned := bytes.Trim(to[start:], "_")
	if len(cleaned) > 0 && cleaned[0]-'0' <= 9 {
		cleaned = append([]byte{'_'}, cleaned...)
	}
	return append(to[:start], cleaned...)
}

// appendKey appends a cleaned tag key that remote write and the Prometheus page both leave unchanged. Of a key that begins with
// _, remote write makes one that begins with key_, and the page keeps it. Both put key_ before a digit.
func (c NameCleaning) appendKey(to, key []byte) []byte {
	if c != CleanPrometheus {
		return append(to, key...)
	}
	switch first := key[0]; {
	case first-'0' <= 9:
		to = append(to, "key_"...)
	case !isAlphanumeric(first):
		to = append(to, "key"...)
	}
	return appendUnderscored(to, key)
}

// appendUnderscored writes each run of characters that are not alphanumeric as one _.
func appendUnderscored(to, text []byte) []byte {
	inRun := false
	for _, c := range text {
		if isAlphanumeric(c) {
			to, inRun = append(to, c), false
		} else if !inRun {
			to, inRun = append(to, '_'), true
		}
	}
	return to
}

func isAlphanumeric(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 'z'-'a' }
