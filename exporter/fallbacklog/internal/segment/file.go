package segment

import (
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
	// size is the number of bytes that readers may see: whole records, and with SyncBatch durable ones. The file on disk is
	// longer after a failed write that could not be cut back.
	size int64
	// disk is the number of bytes that the budget counts for the file: its length at Open, or the sum reserved since.
	disk int64
	// read is the offset at which the reader continues.
	read int64
	// done contains the bytes of the records that are done.
	done byteRanges
	// sealed is true when the file does not grow any more.
	sealed bool
	// deletable is true when the durable cursor covers the whole file.
	deletable bool
	// withheld is true when the reader gets nothing more of the file: the file is being dropped, is deleted, or the log is
	// closed.
	withheld bool
	// removing is true while a goroutine deletes the file.
	removing bool
	// handle is the reader's open file; nil while the reader reads another segment.
	handle File
}

// toRead returns the bytes left to read. ok is false if there are none.
func (f *file) toRead() (from, to int64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = f.done.firstOutside(f.read)
	return f.read, f.size, f.read < f.size && !f.withheld
}

// setRead records that the reader has read everything before end. It returns false if the file has been withheld meanwhile: the
// reader must not return what it has read.
func (f *file) setRead(end int64) bool {
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

// withhold makes the reader skip the file from now on, and returns the unread bytes.
func (f *file) withhold() (from, to int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.withheld = true
	return f.done.firstOutside(f.read), f.size
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

// ReadAt reads for the reader. It keeps the file open until closeHandle.
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

// closeHandle closes the file that ReadAt has opened. A deleted file uses disk space until it is closed.
func (f *file) closeHandle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.handle != nil {
		_ = f.handle.Close() // opened for reading, so nothing can be lost
		f.handle = nil
	}
}

// grow makes n more bytes visible. givenUp contains the records whose callers got an error, relative to the first new byte;
// they are marked as done.
func (f *file) grow(n int64, givenUp byteRanges) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range givenUp {
		f.done = f.done.add(f.size+s.from, f.size+s.to)
	}
	f.size += n
	f.disk += n
}

// seal seals the file and reports whether all its records are done.
func (f *file) seal() (allDone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealed = true
	return f.allDoneLocked()
}

func (f *file) isSealed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sealed
}

// markDone marks the bytes [from, to) as done, and reports whether the file is sealed and all done.
func (f *file) markDone(from, to int64) (allDone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = f.done.add(from, min(to, f.size))
	return f.sealed && f.allDoneLocked()
}

// isAllDone reports whether all records that readers may see are done.
func (f *file) isAllDone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.allDoneLocked()
}

func (f *file) allDoneLocked() bool { return f.done.firstOutside(0) >= f.size }

// progress returns a copy of the done ranges, and whether the file is sealed and all done.
func (f *file) progress() (done byteRanges, allDone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.done), f.sealed && f.allDoneLocked()
}

// isDone reports whether the byte at an offset is done.
func (f *file) isDone(at int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done.firstOutside(at) > at
}

// usage returns the bytes that readers may see, how many of them are not done, and the bytes that the budget counts.
func (f *file) usage() (size, undone, disk int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size, f.size - f.done.length(), f.disk
}

// setDeletable sets whether the durable cursor covers the whole file.
func (f *file) setDeletable(deletable bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deletable = deletable
}

func (f *file) isDeletable() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deletable
}

// remove deletes the file if the durable cursor covers it. It closes the file first, so that its space is free at once. It
// returns false if the file stays or if another goroutine deletes it. durable also makes the removal durable.
func (f *file) remove(durable bool) (bool, error) {
	f.mu.Lock()
	mine := f.deletable && !f.removing
	f.removing = f.removing || mine
	f.withheld = f.withheld || mine
	f.mu.Unlock()
	if !mine {
		return false, nil
	}
	f.closeHandle()
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

// cutTail cuts an unfinished record from the end of the file: it was never acknowledged. Open calls it.
func (f *file) cutTail() error {
	h, err := f.dir.fs.OpenFile(f.dir.join(f.String()), os.O_RDWR, 0)
	readOnly := isReadOnly(err)
	if readOnly {
		h, err = f.dir.open(f.String())
	}
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }() // all writes are synced
	s := scanner{format: f.kind.Format, from: h}
	for {
		p, err := s.next(f.size)
		if err != nil {
			return err
		}
		switch p.kind {
		case atEnd:
			return nil
		case torn:
			f.size = p.start
			if readOnly {
				return nil
			}
			if err := h.Truncate(p.start); err != nil {
				return err
			}
			f.disk = p.start
			return h.Sync()
		case wholeRecord, damage: // the reader copies damage to the quarantine
		}
	}
}
