package segment

import (
	"fmt"
	"sync"
	"time"
)

// The cursor is saved at the latest after this much progress. This bounds what a crash repeats.
const (
	cursorEvery      = time.Second
	cursorEveryBytes = 8 << 20
)

// shrinker saves the cursor and then deletes segments, in this order: a segment is deleted only when the durable cursor covers
// it. It is safe for concurrent use: mu guards everything below it.
type shrinker struct {
	list   *list
	cursor *cursorFile
	budget *Budget
	now    func() time.Time
	report func(error)

	mu sync.Mutex
	// unsaved is the progress since the last save of the cursor.
	unsaved progress
	savedAt time.Time
}

// progress is what has changed since a save of the cursor.
type progress struct {
	dirty     bool  // records have become done
	bytes     int64 // of the records marked by Done
	canDelete bool  // at least one sealed segment is all done
}

// progressed records that records have become done.
func (s *shrinker) progressed(bytes int64, allDone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsaved.dirty = true
	s.unsaved.bytes += bytes
	s.unsaved.canDelete = s.unsaved.canDelete || allDone
}

// due reports whether the progress or the time since the last save requires a save.
func (s *shrinker) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsaved.canDelete || s.unsaved.bytes >= cursorEveryBytes || s.now().Sub(s.savedAt) >= cursorEvery
}

func (s *shrinker) isDirty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsaved.dirty
}

// shrink saves the cursor if it has changed, and then deletes segments.
func (s *shrinker) shrink() error {
	if s.isDirty() {
		if err := s.save(nil); err != nil {
			return err
		}
	}
	s.report(s.removeDeletable())
	return nil
}

// save makes the cursor durable. It treats all records of dropped as done; dropped may be nil.
func (s *shrinker) save(dropped *file) error {
	var included progress
	var allDone []*file
	err := s.cursor.save(func() (c cursor) {
		c, allDone, included = s.snapshot(dropped)
		return c
	})
	if err != nil {
		s.progressed(included.bytes, included.canDelete)
		return err
	}
	for _, f := range allDone {
		f.setDeletable(true)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.savedAt = s.now()
	return nil
}

// snapshot returns the cursor to save, the segments that it covers completely, and the progress that it includes. That progress
// counts as saved from now on.
func (s *shrinker) snapshot(dropped *file) (c cursor, allDone []*file, included progress) {
	s.mu.Lock()
	included, s.unsaved = s.unsaved, progress{} // before reading the files, so that later progress is saved next time
	s.mu.Unlock()
	files, next := s.list.snapshot()
	c.Position = Position{next, 0}
	first := true
	for _, f := range files {
		done, all := f.progress()
		if all || f == dropped {
			allDone = append(allDone, f)
		}
		if f == dropped {
			size, _, _ := f.usage()
			done = byteRanges{{0, size}}
		}
		if first {
			if all || f == dropped {
				continue
			}
			first = false
			c.Position = Position{f.number, done.firstOutside(0)}
			if len(done) > 0 && done[0].from == 0 {
				done = done[1:]
			}
		}
		for _, d := range done {
			c.Done = append(c.Done, doneRange{f.number, d})
		}
	}
	return c, allDone, included
}

// removeDeletable deletes the segments that the durable cursor covers, oldest first. It stops at the first that cannot be
// deleted.
func (s *shrinker) removeDeletable() error {
	older := false // an older segment stays
	for _, f := range s.list.all() {
		// If an older segment stays, the removal must be durable before the next save, after which the cursor no longer names
		// the removed segment.
		removed, err := f.remove(older)
		if err != nil {
			return fmt.Errorf("delete a segment: %w", err)
		}
		if !removed {
			older = true
			continue
		}
		s.unlist(f)
	}
	return nil
}

// unlist removes a segment from the list whose file no longer exists, and releases its space.
func (s *shrinker) unlist(f *file) {
	if s.list.remove(f) {
		_, _, disk := f.usage()
		s.budget.Release(disk)
	}
}

// drop moves the cursor behind the oldest segment and deletes the segment. If the cursor cannot be saved nothing changes:
// otherwise a restart would bring back records that count as dropped.
func (s *shrinker) drop(f *file) (dropped bool, err error) {
	_, allDone := f.progress()
	if !f.isDeletable() {
		if err := s.save(f); err != nil {
			f.readmit()
			return false, err
		}
	}
	size, _, _ := f.usage()
	f.markDone(0, size) // the saved cursor says the same
	err = s.removeDeletable()
	return !allDone || err == nil, err
}
