package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Meta is what a record says of itself.
type Meta struct {
	Time   time.Time `json:"time"`           // when the record was written
	Signal string    `json:"signal"`         // traces, metrics or logs
	Reason string    `json:"reason"`         // why it was not delivered
	Code   string    `json:"code,omitempty"` // status code of a permanent error
	// Message is what the backend said of it, as Message makes it.
	Message  string `json:"message,omitempty"`
	Attempts int    `json:"attempts"` // made before it was written
	Items    int    `json:"items"`    // spans, data points or log records
	// Metadata is what is kept of the client's, by lower-case key.
	Metadata map[string][]string `json:"metadata,omitempty"`
}

var (
	// ErrPayload says that a payload is not a JSON object on one line.
	ErrPayload = errors.New("payload is not a one-line JSON object")
	// ErrDamaged says that a record does not fit its checksum, or says nothing of itself that can be read.
	ErrDamaged = errors.New("record is damaged")
)

const (
	member = `"fallbacklog":`
	// opening is where the trailer begins: the name alone may be a key of Meta.Metadata too, over a list.
	opening = member + `{`
	sumName = `"crc32c":"`
	sumHex  = 8
	sumEnd  = `"}}`
	// sealLen is the length of the fixed end of a line, the checksum included.
	sealLen = len(sumName) + sumHex + len(sumEnd)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append appends the line for payload to dst, newline included.
func (Lines) Append(dst, payload []byte, m Meta) ([]byte, error) {
	if len(payload) < 2 || payload[0] != '{' || payload[len(payload)-1] != '}' || bytes.IndexByte(payload, '\n') >= 0 {
		return dst, ErrPayload
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

// Split verifies a line, given without its newline, and returns its trailer. The line itself is the OTLP request.
func (Lines) Split(line []byte) (Meta, []byte, error) {
	if !verify(line) {
		return Meta{}, nil, ErrDamaged
	}
	at := bytes.LastIndex(line, []byte(opening))
	if at < 0 {
		return Meta{}, nil, ErrDamaged
	}
	var m Meta
	if err := json.Unmarshal(line[at+len(member):len(line)-1], &m); err != nil {
		return Meta{}, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return m, line, nil
}

// verify reports whether line ends in the checksum of what stands before it.
func verify(line []byte) bool {
	if len(line) <= sealLen {
		return false
	}
	body, seal := line[:len(line)-sealLen], line[len(line)-sealLen:]
	sum, ok := parseSeal(seal)
	return ok && sum == crc32.Checksum(body, castagnoli)
}

// parseSeal reads the fixed end of a line strictly: lower case digits only, since Append writes no others.
func parseSeal(seal []byte) (sum uint32, ok bool) {
	if !bytes.HasPrefix(seal, []byte(sumName)) || !bytes.HasSuffix(seal, []byte(sumEnd)) {
		return 0, false
	}
	for _, c := range seal[len(sumName) : len(sumName)+sumHex] {
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
