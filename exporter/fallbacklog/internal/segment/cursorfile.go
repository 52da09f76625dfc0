package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

const cursorName = "cursor"

// cursorFile is the cursor on disk. Its space is reserved when it is created, and saves overwrite it in place, so saving works
// on a disk without a free block, where the log has to shrink. It is safe for concurrent use: mu guards everything below it.
// save calls its argument while mu is locked.
type cursorFile struct {
	dir *dir

	mu       sync.Mutex
	file     File // nil: the disk is read-only and has no file, or c is closed
	writable bool // false: save tries to open the file again
	closed   bool
	sequence uint64 // of the newest slot that is known to be durable
}

// openCursor opens the cursor file, creates it if it is missing, and returns the newest cursor in it. Without a valid cursor it
// returns the zero cursor: reading then starts at the oldest record, which repeats records but loses none.
func openCursor(d *dir) (c *cursorFile, found cursor, damaged bool, err error) {
	c = &cursorFile{dir: d}
	found, damaged, err = c.open()
	return c, found, damaged, err
}

func (c *cursorFile) open() (found cursor, damaged bool, err error) {
	f, err := c.dir.fs.OpenFile(c.dir.join(cursorName), os.O_RDWR|os.O_CREATE, FileMode)
	c.writable = err == nil
	if isReadOnly(err) {
		if f, err = c.dir.open(cursorName); errors.Is(err, fs.ErrNotExist) {
			c.file = nil
			return cursor{}, false, nil
		}
	}
	if err != nil {
		return cursor{}, false, fmt.Errorf("open the cursor: %w", markNoSpace(err))
	}
	c.file = f
	found, damaged, err = c.load()
	if err == nil && c.writable {
		err = c.dir.sync()
	}
	if err != nil {
		c.file, c.writable = nil, false
		return cursor{}, false, errors.Join(fmt.Errorf("read the cursor: %w", markNoSpace(err)), f.Close())
	}
	return found, damaged, nil
}

// load reads the file. It reserves the space of a file that is new, or whose creation was interrupted by a crash.
func (c *cursorFile) load() (found cursor, damaged bool, err error) {
	buf, err := readSlots(c.file)
	if err != nil {
		return cursor{}, false, err
	}
	found, c.sequence = newest(buf)
	damaged = c.sequence == 0 && len(bytes.Trim(buf, " \n\x00")) > 0
	if missing := cursorSlots*slotSize - len(buf); missing > 0 && c.writable {
		if _, err := c.file.WriteAt(bytes.Repeat([]byte{' '}, missing), int64(len(buf))); err != nil {
			return cursor{}, false, err
		}
		return found, damaged, c.file.Sync()
	}
	return found, damaged, nil
}

// readCursor reads the newest cursor without changing the file. The file may be missing.
func readCursor(d *dir) (cursor, error) {
	f, err := d.open(cursorName)
	if errors.Is(err, fs.ErrNotExist) {
		return cursor{}, nil
	}
	if err != nil {
		return cursor{}, err
	}
	defer func() { _ = f.Close() }() // opened for reading
	buf, err := readSlots(f)
	found, _ := newest(buf)
	return found, err
}

// save makes the cursor durable that current returns. Until the save has succeeded it does not change the slot of the last
// successful save. current is called while mu is locked, so that an older cursor never overwrites a newer one; it must not call
// c.
func (c *cursorFile) save(current func() cursor) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if err := c.makeWritable(); err != nil {
		return err
	}
	p := current()
	s := slot{Version: version, Sequence: c.sequence + 1, Position: p.Position, Done: p.Done}
	buf, err := s.encode()
	if err != nil {
		return err
	}
	_, err = c.file.WriteAt(buf, int64(s.Sequence%cursorSlots)*slotSize)
	if err == nil {
		err = c.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("save the cursor: %w", err)
	}
	c.sequence = s.Sequence
	return nil
}

// makeWritable opens a file again that was not writable at Open.
func (c *cursorFile) makeWritable() error {
	if c.writable {
		return nil
	}
	old, sequence := c.file, c.sequence
	_, _, err := c.open()
	if err == nil && !c.writable {
		err = fmt.Errorf("save the cursor: %w", syscall.EROFS)
	}
	c.sequence = max(c.sequence, sequence)
	if old != nil && old != c.file {
		_ = old.Close() // opened for reading
	}
	return err
}

// inPlace returns nil if the file is still where it was created, and errMoved otherwise.
func (c *cursorFile) inPlace() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inPlaceLocked()
}

func (c *cursorFile) inPlaceLocked() error {
	switch {
	case c.closed:
		return ErrClosed
	case !c.writable && !c.dir.has(""):
		return errMoved // a read-only disk did not let Open create the directory
	case !c.writable:
		return nil
	}
	have, err := c.file.Stat()
	if err != nil {
		return err
	}
	return c.dir.checkPlace(cursorName, have)
}

// restore creates the file again if it was deleted or moved. made reports whether it did.
func (c *cursorFile) restore() (made bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.writable && !c.closed {
		return true, c.makeWritable()
	}
	if err := c.inPlaceLocked(); !errors.Is(err, errMoved) {
		return false, err
	}
	old, sequence := c.file, c.sequence
	if _, _, err := c.open(); err != nil {
		c.file, c.sequence = old, sequence
		return false, err
	}
	_ = old.Close() // the old file has no name any more
	return true, nil
}

func (c *cursorFile) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}
