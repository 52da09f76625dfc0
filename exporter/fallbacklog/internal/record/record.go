package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Meta describes a record.
type Meta struct {
	Time   time.Time `json:"time"`           // when the record was written
	Signal string    `json:"signal"`         // traces, metrics or logs
	Reason string    `json:"reason"`         // why it was not delivered
	Code   string    `json:"code,omitempty"` // status code of a permanent error
	// Message is the backend's text, as the function Message returns it.
	Message  string `json:"message,omitempty"`
	Attempts int    `json:"attempts"` // made before it was written
	Items    int    `json:"items"`    // spans, data points or log records
	// Metadata is the client metadata stored with the record, by lower-case key.
	Metadata map[string][]string `json:"metadata,omitempty"`
}

var (
	// errPayload means that a payload is not a JSON object on one line.
	errPayload = errors.New("payload is not a one-line JSON object")
	// ErrDamaged means that a record does not match its checksum, or that its Meta cannot be read.
	ErrDamaged = errors.New("record is damaged")
)

const (
	member = `"fallbacklog":`
	// trailerBegin is the beginning of the trailer. The member's name alone may also be a key of Meta.Metadata, whose values are
	// lists.
	trailerBegin = member + `{`
	sumName      = `"crc32c":"`
	sumHex       = 8
	sumEnd       = `"}}`
	// sumLen is the length of the end of a line: the checksum with its name and the closing characters.
	sumLen = len(sumName) + sumHex + len(sumEnd)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append appends the line for payload to dst, including the newline.
func (Lines) Append(dst, payload []byte, m Meta) ([]byte, error) {
	if len(payload) < 2 || payload[0] != '{' || payload[len(payload)-1] != '}' || bytes.IndexByte(payload, '\n') >= 0 {
		return dst, errPayload
	}
	trailer, err := json.Marshal(m)
	if err != nil {
		return dst, fmt.Errorf("encode the trailer: %w", err)
	}
	start := len(dst)
	dst = append(dst, payload[:len(payload)-1]...)
	if len(payload) > 2 {
		dst = append(dst, ',')
	}
	dst = append(dst, member...)
	dst = append(dst, trailer[:len(trailer)-1]...)
	dst = append(dst, ',')
	sum := crc32.Checksum(dst[start:], castagnoli)
	dst = append(dst, sumName...)
	dst = fmt.Appendf(dst, "%08x", sum)
	dst = append(dst, sumEnd...)
	return append(dst, '\n'), nil
}

// Split verifies a line without its newline and returns its Meta. The payload is the line itself, since the line is an OTLP
// request.
func (Lines) Split(line []byte) (Meta, []byte, error) {
	if !verify(line) {
		return Meta{}, nil, ErrDamaged
	}
	at := bytes.LastIndex(line, []byte(trailerBegin))
	if at < 0 {
		return Meta{}, nil, ErrDamaged
	}
	var m Meta
	if err := json.Unmarshal(line[at+len(member):len(line)-1], &m); err != nil {
		return Meta{}, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return m, line, nil
}

// verify reports whether line ends with the checksum of the bytes before it.
func verify(line []byte) bool {
	if len(line) <= sumLen {
		return false
	}
	body := line[:len(line)-sumLen]
	sum, ok := parseSum(line[len(line)-sumLen:])
	return ok && sum == crc32.Checksum(body, castagnoli)
}

// parseSum reads the checksum at the end of a line. It accepts only lower-case digits, since Append writes no others.
func parseSum(text []byte) (sum uint32, ok bool) {
	if !bytes.HasPrefix(text, []byte(sumName)) || !bytes.HasSuffix(text, []byte(sumEnd)) {
		return 0, false
	}
	for _, c := range text[len(sumName) : len(sumName)+sumHex] {
		switch {
		case '0' <= c && c <= '9':
			sum = sum<<4 | uint32(c-'0')
		case 'a' <= c && c <= 'f':
			sum = sum<<4 | uint32(c-'a'+10)
		default:
			return 0, false
		}
	}
	return sum, true
}
