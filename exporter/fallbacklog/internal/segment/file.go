package segment

import (
	"cmp"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// file is one segment. It is safe for concurrent use: mu guards everything below it.
type file struct {
	name
	dir *dir

	mu sync.Mutex
	// size is what readers may see: whole records, and with SyncBatch durable ones. The file on disk is longer after a
	// failed write that could not be cut back.
	size int64
	// disk is what the budget counts for the file: its length at Open, or what has been reserved since.
	disk int64
	// read is where the reader goes on.
	read int64
	// done is what has been dealt with.
	done spans
	// sealed: the file does not grow any more.
	sealed bool
	// forgotten: the durable cursor covers all of the file, so that it may be deleted.
	forgotten bool
	// withheld: the reader gets nothing more of the file, since it is being dropped, is gone, or the log is closed.
	withheld bool
	// removing: somebody is deleting the file.
	removing bool
	// handle is the reader's; nil while it reads elsewhere.
	handle File
}

// unread returns what is left to read; ok is false when there is nothing.
func (f *file) unread() (from, to int64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = f.done.past(f.read)
	return f.read, f.size, f.read < f.size && !f.withheld
}

// pass notes that the reader has gone over everything before end. It returns false when the file has been withheld in
// the meantime: what the reader found is not the reader's.
func (f *file) pass(end int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.withheld {
		return false
	}
	f.read = end
	return true
}

// rewind makes the reader begin again.
func (f *file) rewind() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = 0
}

// withhold keeps the file from the reader from now on, and returns what is unread.
func (f *file) withhold() (from, to int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.withheld = true
	return f.done.past(f.read), f.size
}

// readmit undoes withhold.
func (f *file) readmit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.withheld = false
}

func (f *file) isWithheld() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.withheld
}

// ReadAt reads for the reader, with a file that stays open until release.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	h, err := f.reading()
	if err != nil {
		return 0, err
	}
	return h.ReadAt(p, off)
}

func (f *file) reading() (File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.handle != nil {
		return f.handle, nil
	}
	if f.withheld {
		return nil, fs.ErrClosed
	}
	h, err := f.dir.open(f.String())
	f.handle = h
	return h, err
}

// release closes what ReadAt has opened. A deleted file uses space until it is closed.
func (f *file) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.handle != nil {
		_ = f.handle.Close() // opened for reading: nothing can be lost
		f.handle = nil
	}
}

// grow makes n more bytes visible, all but those at refused, which count from where they begin.
func (f *file) grow(n int64, refused spans) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range refused {
		f.done = f.done.add(f.size+s.from, f.size+s.to)
	}
	f.size += n
	f.disk += n
}

// seal ends the growth, and reports whether the file is allDone by that.
func (f *file) seal() (allDone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealed = true
	return f.settledLocked()
}

func (f *file) isSealed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sealed
}

// markDone marks the bytes [from, to) as dealt with, and reports whether the file is allDone.
func (f *file) markDone(from, to int64) (allDone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = f.done.add(from, min(to, f.size))
	return f.sealed && f.settledLocked()
}

// settled reports whether all that readers may see has been dealt with.
func (f *file) settled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.settledLocked()
}

func (f *file) settledLocked() bool { return f.done.past(0) >= f.size }

// progress returns a copy of what is done, and whether nothing of the file will be needed again.
func (f *file) progress() (done spans, allDone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.done), f.sealed && f.settledLocked()
}

// isDone reports whether the byte at an offset has been dealt with.
func (f *file) isDone(at int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done.past(at) > at
}

// usage returns the bytes that readers may see, those of them that are not done, and those that the budget counts.
func (f *file) usage() (size, undone, disk int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size, f.size - f.done.length(), f.disk
}

// setForgotten notes whether the durable cursor covers all of the file.
func (f *file) setForgotten(forgotten bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgotten = forgotten
}

func (f *file) isForgotten() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.forgotten
}

// remove deletes the file if the durable cursor covers it, and closes it first, so that its space is free at once.
// It returns false when the file stays, or when another goroutine deletes it. durable also makes the removal durable.
func (f *file) remove(durable bool) (bool, error) {
	f.mu.Lock()
	mine := f.forgotten && !f.removing
	f.removing = f.removing || mine
	f.withheld = f.withheld || mine
	f.mu.Unlock()
	if !mine {
		return false, nil
	}
	f.release()
	err := f.dir.remove(f.String())
	if err == nil && durable {
		err = f.dir.sync()
	}
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.removing = false // a later call tries again
		return false, err
	}
	return true, nil
}

// cutTail removes an unfinished record from the end of the file: it was never acknowledged. It is for Open.
func (f *file) cutTail() error {
	h, err := f.dir.fs.OpenFile(f.dir.join(f.String()), os.O_RDWR, 0)
	readOnly := isReadOnly(err)
	if readOnly {
		h, err = f.dir.open(f.String())
	}
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }() // nothing written is left to lose
	s := scanner{format: f.kind.Format, from: h}
	for {
		found, err := s.next(f.size)
		if err != nil {
			return err
		}
		switch found.kind {
		case atEnd:
			return nil
		case torn:
			f.size = found.start
			if readOnly {
				return nil
			}
			if err := h.Truncate(found.start); err != nil {
				return err
			}
			f.disk = found.start
			return h.Sync()
		case aRecord, damage: // damage is the reader's to set aside
		}
	}
}

// span is the bytes [from, to) of a segment.
type span struct{ from, to int64 }

// spans is a set of bytes: its elements are in order, not empty, and do not touch.
type spans []span

// add puts [from, to) into the set.
func (s spans) add(from, to int64) spans {
	if from >= to {
		return s
	}
	first, _ := slices.BinarySearchFunc(s, from, func(e span, at int64) int { return cmp.Compare(e.to, at) })
	last := first
	for ; last < len(s) && s[last].from <= to; last++ {
		from, to = min(from, s[last].from), max(to, s[last].to)
	}
	return slices.Replace(s, first, last, span{from, to})
}

// past returns the first byte from at on that is not in the set.
func (s spans) past(at int64) int64 {
	for _, e := range s {
		if e.from <= at && at < e.to {
			return e.to
		}
	}
	return at
}

// length is the number of bytes in the set.
func (s spans) length() (n int64) {
	for _, e := range s {
		n += e.to - e.from
	}
	return n
}
