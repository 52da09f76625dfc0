package segment

import (
	"encoding/json"
	"fmt"
	"math"
)

// Position is a place between two records: the segment's number and the byte offset in the segment.
type Position struct {
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"`
}

// Before reports whether p is before q.
func (p Position) Before(q Position) bool {
	return p.Segment < q.Segment || p.Segment == q.Segment && p.Offset < q.Offset
}

// cursor is the set of done records: all before its position, and the ranges after it. If records become done in the order of
// the log there are no ranges.
type cursor struct {
	Position
	Done []doneRange
}

// doneRange is a range of done bytes of a segment.
type doneRange struct {
	segment uint64
	byteRange
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

// next returns the first segment number that the cursor says nothing about. Segments that the cursor names may no longer exist.
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

// done returns the done ranges of a segment with so many bytes.
func (c cursor) done(segment uint64, size int64) (done byteRanges) {
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

// contradictions returns where the segments of a directory, oldest first, contradict the cursor: a segment that is empty but
// not the newest, a segment that ends before the cursor's position, or no segment at that position. Segments before the cursor
// may be missing, and numbers may have gaps.
func (c cursor) contradictions(d *dir, files []*file) (all []Damage) {
	exists := c.Offset == 0
	for k, f := range files {
		exists = exists || f.number == c.Segment
		short := f.number == c.Segment && f.size < c.Offset
		if short || f.size == 0 && f.number >= c.Segment && k < len(files)-1 {
			all = append(all, Damage{Kind: Emptied, Path: d.join(f.String())})
		}
	}
	if !exists {
		all = append(all, Damage{Kind: Missing, Path: d.join(fmt.Sprintf("%020d-*", c.Segment))})
	}
	return all
}
