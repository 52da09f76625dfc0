package segment

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// list contains the segments of a log. It is safe for concurrent use: mu guards everything below it.
type list struct {
	mu sync.Mutex
	// files contains the segments, oldest first. The slice is replaced, never changed, so a copy of it is a snapshot.
	files []*file
	// next is the number of the next segment, from 1.
	next uint64
}

// all returns the segments, oldest first.
func (l *list) all() []*file {
	files, _ := l.snapshot()
	return files
}

// snapshot returns the segments, oldest first, and the number of the next one.
func (l *list) snapshot() (files []*file, next uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.files, l.next
}

// numbered returns the segment with a number, or nil.
func (l *list) numbered(number uint64) *file {
	files := l.all()
	k, ok := slices.BinarySearchFunc(files, number, func(f *file, n uint64) int { return cmp.Compare(f.number, n) })
	if !ok {
		return nil
	}
	return files[k]
}

// number returns the number of the next segment and increments it.
func (l *list) number() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	return l.next - 1
}

// add appends a new segment.
func (l *list) add(f *file) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = append(slices.Clip(l.files), f)
}

// remove removes a segment. It returns false if it was removed before.
func (l *list) remove(f *file) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	had := len(l.files)
	l.files = slices.DeleteFunc(slices.Clone(l.files), func(g *file) bool { return g == f })
	return len(l.files) < had
}

// empty reports whether all records are done.
func (l *list) empty() bool {
	return !slices.ContainsFunc(l.all(), func(f *file) bool { return !f.isAllDone() })
}

// drained reports whether the list has segments and all their records are done.
func (l *list) drained() bool { return len(l.all()) > 0 && l.empty() }

// cursor returns the position before which all records are done.
func (l *list) cursor() Position {
	files, next := l.snapshot()
	for _, f := range files {
		if done, allDone := f.progress(); !allDone {
			return Position{f.number, done.firstOutside(0)}
		}
	}
	return Position{next, 0}
}

// Stats is the size of a log, for telemetry.
type Stats struct {
	Segments int
	Bytes    int64     // on disk
	Unread   int64     // not done
	Oldest   time.Time // when the oldest segment with unread records was begun; zero if there is none
	Begun    time.Time // when the oldest segment was begun; zero if there is none
}

func (l *list) stats() Stats {
	var s Stats
	for _, f := range l.all() {
		_, undone, disk := f.usage()
		if s.Segments == 0 {
			s.Begun = f.created
		}
		s.Segments++
		s.Bytes += disk
		s.Unread += undone
		if s.Oldest.IsZero() && s.Unread > 0 {
			s.Oldest = f.created
		}
	}
	return s
}
