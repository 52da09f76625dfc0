package segment

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
)

const (
	cursorName = "cursor"
	// cursorSlots are overwritten in turn, so that a crash in the middle of a save leaves the slot before it whole.
	cursorSlots = 2
	// slotSize gives each slot a block of its own: what a torn write spoils does not reach the other one.
	slotSize = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cursor says what has been dealt with: everything before its position, and the ranges after it. Where records are done
// in the order of the log there are no ranges.
type cursor struct {
	Position
	Done []doneRange
}

// doneRange is bytes of a segment that have been dealt with.
type doneRange struct {
	segment uint64
	span
}

// MarshalJSON writes [segment, from, to].
func (r doneRange) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "[%d,%d,%d]", r.segment, r.from, r.to), nil
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (r *doneRange) UnmarshalJSON(b []byte) error {
	var n [3]uint64
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	r.segment, r.from, r.to = n[0], int64(min(n[1], math.MaxInt64)), int64(min(n[2], math.MaxInt64))
	return nil
}

// next is the first segment number of which it says nothing. The segments that it does speak of may be gone.
func (c cursor) next() uint64 {
	next := c.Segment
	if c.Offset > 0 {
		next++
	}
	for _, r := range c.Done {
		next = max(next, r.segment+1)
	}
	return next
}

// apply marks in a segment found at Open what has been dealt with.
func (c cursor) apply(i *info) {
	switch {
	case i.number < c.Segment:
		i.settle(0, i.size)
		i.forgotten = true
		return
	case i.number == c.Segment:
		i.settle(0, c.Offset)
	}
	for _, r := range c.Done {
		if r.segment == i.number {
			i.settle(r.from, r.to)
		}
	}
	i.forgotten = i.settled()
}

// cursorFile holds the cursor. Its space is taken when it is created and overwritten in place afterwards: on a disk
// without a free block, where the log has to shrink, saving still works.
type cursorFile struct {
	file     File   // nil: closed
	sequence uint64 // of the newest slot that is known to be durable
}

// version of the slots that are written. Slots without one, from before there were ranges, are read too.
const version = 2

// slot is the content of a slot: one line of JSON, filled up with blanks.
type slot struct {
	Version  int    `json:"version,omitempty"`
	Sequence uint64 `json:"sequence"`
	Position
	Done   []doneRange `json:"done,omitempty"`
	CRC32C string      `json:"crc32c"`
}

func (s slot) checksum() string {
	b := fmt.Appendf(nil, "%d/%d/%d", s.Sequence, s.Segment, s.Offset)
	if s.Version > 0 {
		b = fmt.Appendf(b, "/%d", s.Version)
	}
	for _, r := range s.Done {
		b = fmt.Appendf(b, "/%d/%d/%d", r.segment, r.from, r.to)
	}
	return fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli))
}

func (s slot) valid() bool {
	return (s.Version == 0 || s.Version == version) && s.CRC32C == s.checksum() && s.Offset >= 0 && s.Sequence > 0
}

// encode fills a slot. Of more ranges than it has room for, about 150, the longest are kept: a crash repeats the others.
func (s slot) encode() ([]byte, error) {
	for {
		s.CRC32C = s.checksum()
		line, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		if len(line) < slotSize {
			buf := bytes.Repeat([]byte{' '}, slotSize)
			copy(buf, line)
			buf[slotSize-1] = '\n'
			return buf, nil
		}
		s.Done = longest(s.Done, min(len(s.Done)*15/16, slotSize/16))
	}
}

// longest returns the n longest ranges.
func longest(ranges []doneRange, n int) []doneRange {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b doneRange) int { return cmp.Compare(b.to-b.from, a.to-a.from) })
	return ranges[:n]
}

// openCursor opens the cursor file, creating it where needed, and returns the newest cursor in it. It is the zero
// cursor when there is none, or only damaged ones: reading then starts at the oldest record, which repeats records
// but loses none.
func openCursor(fsys FS, dir string) (c *cursorFile, p cursor, damaged bool, err error) {
	f, err := fsys.OpenFile(filepath.Join(dir, cursorName), os.O_RDWR|os.O_CREATE, FileMode)
	if err != nil {
		return nil, cursor{}, false, fmt.Errorf("open the cursor: %w", full(err))
	}
	c = &cursorFile{file: f}
	p, damaged, err = c.load()
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return nil, cursor{}, false, errors.Join(fmt.Errorf("read the cursor: %w", full(err)), f.Close())
	}
	return c, p, damaged, nil
}

func (c *cursorFile) load() (p cursor, damaged bool, err error) {
	buf := make([]byte, cursorSlots*slotSize)
	n, err := c.file.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return cursor{}, false, err
	}
	for at := 0; at < n; at += slotSize {
		var s slot
		if json.Unmarshal(buf[at:min(n, at+slotSize)], &s) == nil && s.valid() && s.Sequence > c.sequence {
			c.sequence, p = s.Sequence, cursor{s.Position, s.Done}
		}
	}
	damaged = c.sequence == 0 && len(bytes.Trim(buf[:n], " \n\x00")) > 0
	if n < len(buf) { // new, or a crash came before its space was taken
		if _, err := c.file.WriteAt(bytes.Repeat([]byte{' '}, len(buf)-n), int64(n)); err != nil {
			return cursor{}, false, err
		}
		return p, damaged, c.file.Sync()
	}
	return p, damaged, nil
}

// save makes a cursor durable. Until it has succeeded the slot of the last success is not touched.
func (c *cursorFile) save(p cursor) error {
	if c.file == nil {
		return ErrClosed
	}
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

func (c *cursorFile) close() error {
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}
