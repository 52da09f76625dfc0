package segment

import (
	"fmt"
	"sync"
	"time"
)

// The cursor is saved at the latest after this much progress, which bounds what a crash repeats.
const (
	cursorEvery      = time.Second
	cursorEveryBytes = 8 << 20
)

// shrinker saves what has been dealt with and deletes the segments that need not be kept, in this order: a segment goes
// only when the durable cursor covers it. It is safe for concurrent use: mu guards everything below it.
type shrinker struct {
	list   *list
	cursor *cursorFile
	budget *Budget
	now    func() time.Time
	report func(error)

	mu sync.Mutex
	// unsaved is what the cursor on disk does not say yet.
	unsaved progress
	savedAt time.Time
}

// progress is what has happened since a save of the cursor.
type progress struct {
	dirty     bool  // something has been dealt with
	bytes     int64 // so many bytes by Done
	canDelete bool  // a segment has become allDone
}

// progressed notes that something has been dealt with.
func (s *shrinker) progressed(bytes int64, allDone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsaved.dirty = true
	s.unsaved.bytes += bytes
	s.unsaved.canDelete = s.unsaved.canDelete || allDone
}

// due reports whether there has been enough progress, or time, for a save.
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

// shrink saves the cursor if it has to, and then deletes segments.
func (s *shrinker) shrink() error {
	if s.isDirty() {
		if err := s.save(nil); err != nil {
			return err
		}
	}
	s.report(s.removeForgotten())
	return nil
}

// save makes the cursor durable, as if also all of gone, which may be nil, had been dealt with.
func (s *shrinker) save(gone *file) error {
	var included progress
	var allDone []*file
	err := s.cursor.save(func() (c cursor) {
		c, allDone, included = s.snapshot(gone)
		return c
	})
	if err != nil {
		s.progressed(included.bytes, included.canDelete)
		return err
	}
	for _, f := range allDone {
		f.setForgotten(true)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.savedAt = s.now()
	return nil
}

// snapshot returns the cursor as it should be on disk, the segments that it covers as a whole, and the progress that it
// includes, which counts as saved from now on.
func (s *shrinker) snapshot(gone *file) (c cursor, allDone []*file, included progress) {
	s.mu.Lock()
	included, s.unsaved = s.unsaved, progress{} // first: what is done meanwhile is saved next time
	s.mu.Unlock()
	files, next := s.list.snapshot()
	c.Position = Position{next, 0}
	first := true
	for _, f := range files {
		done, all := f.progress()
		if all || f == gone {
			allDone = append(allDone, f)
		}
		if f == gone {
			size, _, _ := f.usage()
			done = spans{{0, size}}
		}
		if first {
			if all || f == gone {
				continue
			}
			first = false
			c.Position = Position{f.number, done.past(0)}
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

// removeForgotten deletes the segments that the durable cursor does not need, oldest first, and stops at the first that
// cannot be deleted.
func (s *shrinker) removeForgotten() error {
	older := false // an older segment stays
	for _, f := range s.list.all() {
		// A segment that is removed before an older one must be durably gone before the cursor stops naming it, which the
		// next save does.
		removed, err := f.remove(older)
		if err != nil {
			return fmt.Errorf("delete a segment: %w", err)
		}
		if !removed {
			older = true
			continue
		}
		s.forget(f)
	}
	return nil
}

// forget removes a segment from the list whose file is gone, and gives its space back.
func (s *shrinker) forget(f *file) {
	if s.list.forget(f) {
		_, _, disk := f.usage()
		s.budget.Release(disk)
	}
}

// giveUp moves the cursor behind the oldest segment and deletes it. Nothing has changed where the cursor cannot be
// saved: a restart would bring back what counts as gone in memory.
func (s *shrinker) giveUp(f *file) (dropped bool, err error) {
	_, allDone := f.progress()
	if !f.isForgotten() {
		if err := s.save(f); err != nil {
			f.readmit()
			return false, err
		}
	}
	size, _, _ := f.usage()
	f.markDone(0, size) // as the cursor says already
	err = s.removeForgotten()
	return !allDone || err == nil, err
}
