package segment

import (
	"errors"
	"fmt"
	"io"
)

// scanChunk is the size of a read. With 1 MiB the system calls cost little compared with parsing.
const scanChunk = 1 << 20

// scanner finds the records of one segment. Its memory is bounded by the largest record plus scanChunk.
type scanner struct {
	format Format
	from   io.ReaderAt
	off    int64  // offset of buf[0] in the file
	buf    []byte // read and not yet parsed
	store  []byte // backs buf
}

// piece is a part of the segment, at [start, end).
type piece struct {
	kind       pieceKind
	data       []byte // the record or the damaged bytes; valid until the next call
	start, end int64
}

type pieceKind int

const (
	atEnd       pieceKind = iota // nothing left below the limit
	wholeRecord                  // a whole record
	damage                       // bytes that are no record
	torn                         // an unfinished record up to the limit
)

// next returns the next piece below limit, the number of bytes that may be read.
func (s *scanner) next(limit int64) (piece, error) {
	for {
		if s.off >= limit {
			return piece{kind: atEnd, start: s.off, end: s.off}, nil
		}
		if len(s.buf) > 0 {
			if p, ok := s.parse(s.off+int64(len(s.buf)) >= limit); ok {
				return p, nil
			}
		}
		if err := s.fill(limit); err != nil {
			return piece{}, err
		}
	}
}

// parse returns the next piece in buf. ok is false if more bytes are needed. final means that no more bytes follow.
func (s *scanner) parse(final bool) (p piece, ok bool) {
	record, n := s.format.Next(s.buf, final)
	p = piece{kind: damage, data: s.buf[:n], start: s.off}
	switch {
	case n == 0 && !final:
		return piece{}, false
	case n == 0:
		n = len(s.buf)
		p.kind, p.data = torn, s.buf
	case record != nil:
		p.kind, p.data = wholeRecord, record
	}
	s.buf = s.buf[n:]
	s.off += int64(n)
	p.end = s.off
	return p, true
}

// fill appends the next chunk to buf.
func (s *scanner) fill(limit int64) error {
	have := len(s.buf)
	// The read doubles for a long record, so that the record is not parsed again for every chunk.
	want := int(min(int64(max(scanChunk, have)), limit-s.off-int64(have)))
	if cap(s.store) < have+want {
		s.store = make([]byte, have+want)
	}
	s.store = s.store[:cap(s.store)]
	copy(s.store, s.buf)
	n, err := s.from.ReadAt(s.store[have:have+want], s.off+int64(have))
	s.buf = s.store[:have+n]
	if n == want {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// peekBytes bounds the damage that peek skips in search of a record.
const peekBytes = 4 * scanChunk

// peek calls visit with the first unread record of a segment and returns its error. It skips what cannot be read.
func peek(f *file, visit func([]byte) error) error {
	from, to, ok := f.toRead()
	if !ok {
		return nil
	}
	h, err := f.dir.open(f.String())
	if err != nil {
		return nil // Next reports the error
	}
	defer func() { _ = h.Close() }() // opened for reading
	s := scanner{format: f.kind.Format, from: h, off: from}
	for s.off < from+peekBytes {
		switch p, err := s.next(to); {
		case err != nil, p.kind == atEnd:
			return nil
		case p.kind == wholeRecord:
			return visit(p.data)
		}
	}
	return nil
}

// walk calls visit with the pieces of a segment's bytes [from, to) until visit fails.
func walk(f *file, from, to int64, visit func(piece) error) error {
	if from >= to {
		return nil
	}
	h, err := f.dir.open(f.String())
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }() // opened for reading
	s := scanner{format: f.kind.Format, from: h, off: from}
	for {
		p, err := s.next(to)
		if err != nil {
			return fmt.Errorf("read %s: %w", f, err)
		}
		if p.kind == atEnd {
			return nil
		}
		if err := visit(p); err != nil {
			return err
		}
	}
}
