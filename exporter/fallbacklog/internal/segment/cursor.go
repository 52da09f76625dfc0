package segment

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"sync"
	"syscall"
)

const (
	cursorName = "cursor"
	// cursorSlots are overwritten in turn, so that a crash in the middle of a save leaves the slot before it whole.
	cursorSlots = 2
	// slotSize gives each slot a block of its own: what a torn write spoils does not reach the other one.
	slotSize = 4096
)

// Position is a place between two records: the segment's number and the byte offset in it.
type Position struct {
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"`
}

// Before orders positions.
func (p Position) Before(q Position) bool {
	return p.Segment < q.Segment || p.Segment == q.Segment && p.Offset < q.Offset
}

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

// done returns what of a segment of so many bytes has been dealt with.
func (c cursor) done(segment uint64, size int64) (done spans) {
	switch {
	case segment < c.Segment:
		return done.add(0, size)
	case segment == c.Segment:
		done = done.add(0, min(c.Offset, size))
	}
	for _, r := range c.Done {
		if r.segment == segment {
			done = done.add(r.from, min(r.to, size))
		}
	}
	return done
}

// contradicted returns where the segments in a directory, oldest first, are not what the cursor says of them: one without a
// byte that is not the newest, one that ends before the cursor, and none where the cursor stands. Segments before the
// cursor may be missing, and numbers may have gaps.
func (c cursor) contradicted(d *dir, files []*file) (all []Damage) {
	there := c.Offset == 0
	for k, f := range files {
		there = there || f.number == c.Segment
		short := f.number == c.Segment && f.size < c.Offset
		if short || f.size == 0 && f.number >= c.Segment && k < len(files)-1 {
			all = append(all, Damage{Kind: Emptied, Path: d.join(f.String())})
		}
	}
	if !there {
		all = append(all, Damage{Kind: Missing, Path: d.join(fmt.Sprintf("%020d-*", c.Segment))})
	}
	return all
}

// cursorFile is the cursor on disk. Its space is taken when it is created and overwritten in place afterwards: on a disk
// without a free block, where the log has to shrink, saving still works. It is safe for concurrent use: mu guards
// everything below it.
type cursorFile struct {
	dir *dir

	mu       sync.Mutex
	file     File // nil: there is none, since the disk is read-only, or closed
	writable bool // file is; false: save tries to open it again
	closed   bool
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
		return cursor{}, false, fmt.Errorf("open the cursor: %w", full(err))
	}
	c.file = f
	found, damaged, err = c.load()
	if err == nil && c.writable {
		err = c.dir.sync()
	}
	if err != nil {
		c.file, c.writable = nil, false
		return cursor{}, false, errors.Join(fmt.Errorf("read the cursor: %w", full(err)), f.Close())
	}
	return found, damaged, nil
}

// load reads the file, and takes the space of one that is new, or whose creation a crash has interrupted.
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

func readSlots(f File) ([]byte, error) {
	buf := make([]byte, cursorSlots*slotSize)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf[:n], nil
}

// newest returns the newest valid cursor of slots and its sequence number, 0 without one.
func newest(slots []byte) (found cursor, sequence uint64) {
	for b := range slices.Chunk(slots, slotSize) {
		var s slot
		if json.Unmarshal(b, &s) == nil && s.valid() && s.Sequence > sequence {
			found, sequence = cursor{s.Position, s.Done}, s.Sequence
		}
	}
	return found, sequence
}

// peekCursor reads the newest cursor without touching the file. There may be none.
func peekCursor(d *dir) (cursor, error) {
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

// save makes the cursor durable that current returns. Until it has succeeded the slot of the last success is not touched.
// current is called while mu is locked, so that an older cursor never overwrites a newer one; it must not call c.
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

// makeWritable opens the file again that could not be written at Open.
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

// inPlace returns nil when the file is where it was made, and errTaken when it is not.
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
		return errTaken // a read-only disk did not let Open make the directory
	case !c.writable:
		return nil
	}
	have, err := c.file.Stat()
	if err != nil {
		return err
	}
	return c.dir.checkPlace(cursorName, have)
}

// restore makes the file again where it has been taken away, and reports whether it has.
func (c *cursorFile) restore() (made bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.writable && !c.closed {
		return true, c.makeWritable()
	}
	if err := c.inPlaceLocked(); !errors.Is(err, errTaken) {
		return false, err
	}
	old, sequence := c.file, c.sequence
	if _, _, err := c.open(); err != nil {
		c.file, c.sequence = old, sequence
		return false, err
	}
	_ = old.Close() // nobody will find it
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
