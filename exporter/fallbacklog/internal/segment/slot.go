package segment

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

const (
	// cursorSlots is the number of slots. They are overwritten in turn, so a crash in the middle of a save leaves the previous
	// slot whole.
	cursorSlots = 2
	// slotSize gives each slot a block of its own, so a torn write cannot damage the other slot.
	slotSize = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// version is the version of new slots. Slots without a version, from before ranges existed, are also read.
const version = 2

// slot is the content of a slot: one line of JSON, padded with blanks.
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

// encode returns the bytes of a slot. It has room for about 150 ranges. If there are more it keeps the longest ones, and a
// crash repeats the records of the others.
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

func readSlots(f File) ([]byte, error) {
	buf := make([]byte, cursorSlots*slotSize)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf[:n], nil
}

// newest returns the newest valid cursor of the slots and its sequence number, or 0 if no slot is valid.
func newest(slots []byte) (found cursor, sequence uint64) {
	for b := range slices.Chunk(slots, slotSize) {
		var s slot
		if json.Unmarshal(b, &s) == nil && s.valid() && s.Sequence > sequence {
			found, sequence = cursor{s.Position, s.Done}, s.Sequence
		}
	}
	return found, sequence
}
