package segment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

const (
	cursorName = "cursor"
	// cursorSlots are overwritten in turn, so that a crash in the middle of a save leaves the slot before it whole.
	cursorSlots = 2
	// slotSize gives each slot a block of its own: what a torn write spoils does not reach the other one.
	slotSize = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cursorFile holds the position before which everything has been dealt with. Its space is taken when it is created and
// overwritten in place afterwards: on a disk without a free block, where the log has to shrink, saving still works.
type cursorFile struct {
	file     File   // nil: closed
	sequence uint64 // of the newest slot that is known to be durable
}

// slot is the content of a slot: one line of JSON, filled up with blanks.
type slot struct {
	Sequence uint64 `json:"sequence"`
	Position
	CRC32C string `json:"crc32c"`
}

func (s slot) checksum() string {
	return fmt.Sprintf("%08x", crc32.Checksum(fmt.Appendf(nil, "%d/%d/%d", s.Sequence, s.Segment, s.Offset), castagnoli))
}

func (s slot) valid() bool { return s.CRC32C == s.checksum() && s.Offset >= 0 && s.Sequence > 0 }

// openCursor opens the cursor file, creating it where needed, and returns the newest position in it. It is the zero
// Position when there is none, or only damaged ones: reading then starts at the oldest record, which repeats records
// but loses none.
func openCursor(fsys FS, dir string) (c *cursorFile, p Position, damaged bool, err error) {
	f, err := fsys.OpenFile(filepath.Join(dir, cursorName), os.O_RDWR|os.O_CREATE, FileMode)
	if err != nil {
		return nil, Position{}, false, fmt.Errorf("open the cursor: %w", full(err))
	}
	c = &cursorFile{file: f}
	p, damaged, err = c.load()
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return nil, Position{}, false, errors.Join(fmt.Errorf("read the cursor: %w", full(err)), f.Close())
	}
	return c, p, damaged, nil
}

func (c *cursorFile) load() (p Position, damaged bool, err error) {
	buf := make([]byte, cursorSlots*slotSize)
	n, err := c.file.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Position{}, false, err
	}
	for at := 0; at < n; at += slotSize {
		var s slot
		if json.Unmarshal(buf[at:min(n, at+slotSize)], &s) == nil && s.valid() && s.Sequence > c.sequence {
			c.sequence, p = s.Sequence, s.Position
		}
	}
	damaged = c.sequence == 0 && len(bytes.Trim(buf[:n], " \n\x00")) > 0
	if n < len(buf) { // new, or a crash came before its space was taken
		if _, err := c.file.WriteAt(bytes.Repeat([]byte{' '}, len(buf)-n), int64(n)); err != nil {
			return Position{}, false, err
		}
		return p, damaged, c.file.Sync()
	}
	return p, damaged, nil
}

// save makes a position durable. Until it has succeeded the slot of the last success is not touched.
func (c *cursorFile) save(p Position) error {
	if c.file == nil {
		return ErrClosed
	}
	s := slot{Sequence: c.sequence + 1, Position: p}
	s.CRC32C = s.checksum()
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	buf := bytes.Repeat([]byte{' '}, slotSize)
	copy(buf, line)
	buf[slotSize-1] = '\n'
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

func (c *cursorFile) close() error {
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}
