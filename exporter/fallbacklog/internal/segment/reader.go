package segment

import (
	"bytes"
	"fmt"
)

// reader reads the records of segments. It has no lock: only the caller of Log.Next uses it.
type reader struct {
	newestFirst bool
	damaged     func(Damage)
	quarantine  *quarantine

	file *file // the segment being read; nil: none
	scan scanner
}

// choose returns the segment to read, or nil if nothing is left to read: the segment that is read in part, or else the oldest
// or newest with unread bytes.
func (r *reader) choose(files []*file) *file {
	if r.file != nil {
		if _, _, ok := r.file.toRead(); ok {
			return r.file
		}
		r.leave()
	}
	for k := range files {
		if r.newestFirst {
			k = len(files) - 1 - k
		}
		if _, _, ok := files[k].toRead(); ok {
			return files[k]
		}
	}
	return nil
}

// next returns the next record of a segment, or damage, or atEnd if nothing is left to read. Damage has been copied to the
// quarantine and marked as done. The data is valid until the next call.
func (r *reader) next(f *file) (piece, error) {
	from, to, ok := f.toRead()
	if !ok {
		return piece{kind: atEnd}, nil
	}
	if r.file != f || r.scan.off != from {
		r.leave()
		r.file, r.scan = f, scanner{format: f.kind.Format, from: f, off: from}
	}
	p, err := r.scan.next(to)
	if err != nil {
		r.leave()
		if f.isWithheld() { // withhold has closed the file
			return piece{kind: atEnd}, nil
		}
		return piece{}, fmt.Errorf("read %s: %w", f, err)
	}
	if !f.setRead(p.end) {
		r.leave()
		return piece{kind: atEnd}, nil
	}
	if p.kind == damage || p.kind == torn {
		f.markDone(p.start, p.end)
		r.damaged(corrupt(f, p))
		r.quarantine.keep(f, p)
	}
	return p, nil
}

// leave closes the segment that is being read.
func (r *reader) leave() {
	if r.file != nil {
		r.file.closeHandle()
	}
	r.file, r.scan = nil, scanner{}
}

func corrupt(f *file, p piece) Damage {
	return Damage{Kind: Corrupt, Path: f.dir.join(f.String()), Start: p.start, Bytes: p.end - p.start}
}

// clone returns a record as an Entry of its own.
func clone(f *file, p piece) Entry {
	return Entry{
		Record: bytes.Clone(p.data), Start: Position{f.number, p.start}, End: Position{f.number, p.end},
	}
}
