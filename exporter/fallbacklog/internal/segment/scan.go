package segment

import (
	"errors"
	"io"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/seekable"
)

// Format says where a record ends and whether it is whole. Implementations keep no state.
type Format interface {
	// Next looks at the front of data, which begins where a record should.
	//
	//	record != nil, n > 0   a whole, verified record; n bytes are used up, its terminator included
	//	record == nil, n > 0   n bytes of damage, after which another record may begin
	//	n == 0                 the record is not complete: more bytes are needed, or, when final, the tail is torn
	//
	// final says that nothing follows data. The record is a part of data.
	Next(data []byte, final bool) (record []byte, n int)
}

// scanChunk is how much is read at a time: 1 MiB keeps system calls rare beside the parsing of what they return.
const scanChunk = 1 << 20

// scanner walks the records of one segment. Its memory is bounded by the largest record plus scanChunk.
type scanner struct {
	format Format
	file   content
	off    int64            // of buf[0] in the file
	buf    []byte           // read and not yet used up
	hole   *seekable.Damage // what comes after buf cannot be read, see content; nil: maybe it can
	store  []byte           // backs buf
}

// found is what the scanner met at [start, end).
type found struct {
	kind       kind
	data       []byte // the record or the damaged bytes; valid until the next call
	raw        []byte // all of the bytes from start to end; as long
	start, end int64
	packed     bool // data is compressed, damage in a packed segment, and there is no raw
}

type kind int

const (
	atEnd   kind = iota // nothing left below the limit
	aRecord             // a whole record
	damage              // bytes that are no record
	torn                // an unfinished record up to the limit
)

// next returns what comes next below limit, the length that may be read.
func (s *scanner) next(limit int64) (found, error) {
	for {
		if s.off >= limit {
			return found{kind: atEnd, start: s.off, end: s.off}, nil
		}
		final := s.off+int64(len(s.buf)) >= limit || s.hole != nil
		if len(s.buf) > 0 {
			record, n := s.format.Next(s.buf, final)
			f := found{kind: damage, data: s.buf[:n], raw: s.buf[:n], start: s.off, end: s.off + int64(n)}
			if record != nil {
				f.kind, f.data = aRecord, record
			}
			if n == 0 && final {
				n = len(s.buf)
				f = found{kind: torn, data: s.buf, raw: s.buf, start: s.off, end: s.off + int64(n)}
				if s.hole != nil {
					f.kind = damage
				}
			}
			if n > 0 {
				s.buf = s.buf[n:]
				s.off += int64(n)
				return f, nil
			}
		}
		if h := s.hole; h != nil { // and nothing is left before it
			f := found{kind: damage, data: h.Data, start: s.off, end: min(h.End, limit), packed: true}
			s.hole, s.off = nil, f.end
			return f, nil
		}
		if err := s.fill(limit); errors.As(err, &s.hole) {
			continue
		} else if err != nil {
			return found{}, err
		}
	}
}

// fill appends the next chunk to buf.
func (s *scanner) fill(limit int64) error {
	have := len(s.buf)
	// A long record doubles the read, so that it is not looked at again for every chunk.
	want := int(min(int64(max(scanChunk, have)), limit-s.off-int64(have)))
	if cap(s.store) < have+want {
		s.store = make([]byte, have+want)
	}
	s.store = s.store[:cap(s.store)]
	copy(s.store, s.buf)
	n, err := s.file.ReadAt(s.store[have:have+want], s.off+int64(have))
	s.buf = s.store[:have+n]
	var hole *seekable.Damage
	if n == want || n > 0 && errors.As(err, &hole) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (s *scanner) close() {
	if s.file != nil {
		_ = s.file.Close() // opened for reading: nothing can be lost
		s.file = nil
	}
	s.buf, s.store, s.off, s.hole = nil, nil, 0, nil
}
