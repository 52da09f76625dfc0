package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// reader goes through the records of segments. It has no lock: it belongs to the caller of Log.Next.
type reader struct {
	newestFirst bool
	damaged     func(Damage)
	quarantine  *quarantine

	file *file // being read; nil: none
	scan scanner
}

// choose returns the segment whose turn it is, nil when there is nothing to read: the one that is read in part, or else
// the oldest with something to read, or the newest.
func (r *reader) choose(files []*file) *file {
	if r.file != nil {
		if _, _, ok := r.file.unread(); ok {
			return r.file
		}
		r.leave()
	}
	for k := range files {
		if r.newestFirst {
			k = len(files) - 1 - k
		}
		if _, _, ok := files[k].unread(); ok {
			return files[k]
		}
	}
	return nil
}

// next returns the next record of a segment, or damage, which it has copied to the quarantine and settled, or atEnd when
// there is nothing more to read. The data is valid until the next call.
func (r *reader) next(f *file) (found, error) {
	from, to, ok := f.unread()
	if !ok {
		return found{kind: atEnd}, nil
	}
	if r.file != f || r.scan.off != from {
		r.leave()
		r.file, r.scan = f, scanner{format: f.kind.Format, from: f, off: from}
	}
	met, err := r.scan.next(to)
	if err != nil {
		r.leave()
		if f.isWithheld() { // and closed
			return found{kind: atEnd}, nil
		}
		return found{}, fmt.Errorf("read %s: %w", f, err)
	}
	if !f.pass(met.end) {
		r.leave()
		return found{kind: atEnd}, nil
	}
	if met.kind == damage || met.kind == torn {
		f.markDone(met.start, met.end)
		r.damaged(corrupt(f, met))
		r.quarantine.keep(f, met)
	}
	return met, nil
}

// leave closes the segment that is being read.
func (r *reader) leave() {
	if r.file != nil {
		r.file.release()
	}
	r.file, r.scan = nil, scanner{}
}

// peekBytes bounds how much damage peek goes through in search of a record.
const peekBytes = 4 * scanChunk

// peek hands the first unread record of a segment to visit and returns its error. It passes over what cannot be read.
func peek(f *file, visit func([]byte) error) error {
	from, to, ok := f.unread()
	if !ok {
		return nil
	}
	h, err := f.dir.open(f.String())
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	defer func() { _ = h.Close() }() // opened for reading
	s := scanner{format: f.kind.Format, from: h, off: from}
	for s.off < from+peekBytes {
		switch met, err := s.next(to); {
		case err != nil, met.kind == atEnd:
			return nil
		case met.kind == aRecord:
			return visit(met.data)
		}
	}
	return nil
}

// walk hands the pieces of a segment's bytes [from, to) to visit until it fails.
func walk(f *file, from, to int64, visit func(found) error) error {
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
		met, err := s.next(to)
		if err != nil {
			return fmt.Errorf("read %s: %w", f, err)
		}
		if met.kind == atEnd {
			return nil
		}
		if err := visit(met); err != nil {
			return err
		}
	}
}

// scanChunk is how much is read at a time: 1 MiB keeps system calls rare beside the parsing of what they return.
const scanChunk = 1 << 20

// scanner walks the records of one segment. Its memory is bounded by the largest record plus scanChunk.
type scanner struct {
	format Format
	from   io.ReaderAt
	off    int64  // of buf[0] in the file
	buf    []byte // read and not yet used up
	store  []byte // backs buf
}

// found is what the scanner met at [start, end).
type found struct {
	kind       foundKind
	data       []byte // the record or the damaged bytes; valid until the next call
	start, end int64
}

type foundKind int

const (
	atEnd   foundKind = iota // nothing left below the limit
	aRecord                  // a whole record
	damage                   // bytes that are no record
	torn                     // an unfinished record up to the limit
)

// next returns what comes next below limit, the length that may be read.
func (s *scanner) next(limit int64) (found, error) {
	for {
		if s.off >= limit {
			return found{kind: atEnd, start: s.off, end: s.off}, nil
		}
		if len(s.buf) > 0 {
			if f, ok := s.parse(s.off+int64(len(s.buf)) >= limit); ok {
				return f, nil
			}
		}
		if err := s.fill(limit); err != nil {
			return found{}, err
		}
	}
}

// parse returns what comes next in buf; ok is false when more bytes are needed. final says that there are none.
func (s *scanner) parse(final bool) (f found, ok bool) {
	record, n := s.format.Next(s.buf, final)
	f = found{kind: damage, data: s.buf[:n], start: s.off}
	switch {
	case n == 0 && !final:
		return found{}, false
	case n == 0:
		n = len(s.buf)
		f.kind, f.data = torn, s.buf
	case record != nil:
		f.kind, f.data = aRecord, record
	}
	s.buf = s.buf[n:]
	s.off += int64(n)
	f.end = s.off
	return f, true
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

// quarantineDir has copies of bytes that were no record, for a human to look at. They count against the budget, also
// those of earlier runs, and are the first to go when records need the room.
const quarantineDir = "quarantine"

// quarantine keeps copies of damage.
type quarantine struct {
	dir    *dir
	budget *Budget
	report func(error)
}

func (q *quarantine) path(name string) string { return filepath.Join(q.dir.join(quarantineDir), name) }

// keep copies damaged bytes, where the budget has room.
func (q *quarantine) keep(f *file, met found) {
	size := int64(len(met.data))
	if q.budget.Reserve(size) != nil {
		return
	}
	path := q.path(fmt.Sprintf("%s.%020d", f.stem(), met.start))
	err := MakeDir(q.dir.fs, q.dir.join(quarantineDir))
	if err == nil {
		err = q.write(path, met.data)
	}
	q.budget.Written(size)
	if err == nil {
		q.spare(path, size)
		return
	}
	q.budget.Release(size)
	if !errors.Is(err, fs.ErrExist) { // read again after a crash: its copy is counted already
		q.report(fmt.Errorf("quarantine: %w", err))
	}
}

func (q *quarantine) write(path string, data []byte) error {
	f, err := q.dir.fs.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, FileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return errors.Join(err, q.dir.fs.Remove(path))
	}
	return nil
}

// recover accounts for the copies of earlier runs: their names sort by age.
func (q *quarantine) recover() error {
	entries, err := q.dir.fs.ReadDir(q.dir.join(quarantineDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		q.budget.Add(fi.Size())
		q.spare(q.path(e.Name()), fi.Size())
	}
	return nil
}

func (q *quarantine) spare(path string, size int64) {
	q.budget.Spare(size, func() bool {
		err := q.dir.fs.Remove(path)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return true
		}
		q.report(fmt.Errorf("make room: %w", err))
		return false
	})
}

func corrupt(f *file, met found) Damage {
	return Damage{Kind: Corrupt, Path: f.dir.join(f.String()), Start: met.start, Bytes: met.end - met.start}
}

// clone makes an Entry of a record.
func clone(f *file, met found) Entry {
	return Entry{
		Record: bytes.Clone(met.data), Start: Position{f.number, met.start}, End: Position{f.number, met.end},
	}
}
