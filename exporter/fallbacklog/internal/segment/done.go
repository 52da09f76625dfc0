package segment

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// The cursor is saved at the latest after this much progress: what a crash repeats is bounded by it.
const (
	cursorEvery      = time.Second
	cursorEveryBytes = 8 << 20
)

// Done says that a record has been dealt with and need not be kept. Records may be done in any order. One that is gone
// already, as after DropOldest, changes nothing.
func (l *Log) Done(e Entry) error {
	l.mu.Lock()
	if i := l.find(e.Start.Segment); i != nil {
		l.settle(i, e.Start.Offset, e.End.Offset)
		l.unsaved += e.End.Offset - e.Start.Offset
	}
	l.mu.Unlock()
	return l.shrink(false)
}

// settle marks a part of a segment as dealt with. The caller holds mu.
func (l *Log) settle(i *info, from, to int64) {
	i.settle(from, to)
	l.dirty = true
	l.ripe = l.ripe || i.spent()
}

// find returns the segment with this number, or nil. The caller holds mu.
func (l *Log) find(number uint64) *info {
	k, ok := slices.BinarySearchFunc(l.segments, number, func(i *info, n uint64) int { return cmp.Compare(i.number, n) })
	if !ok {
		return nil
	}
	return l.segments[k]
}

// Tend makes up for what has failed before: it makes a directory again that has been taken away, saves a cursor that is
// not saved, and deletes the segments that are dealt with. It is for a timer; with nothing to make up for it costs two
// locks. After Close it does nothing.
func (l *Log) Tend() error {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return nil
	}
	if err := l.tendDir(); err != nil {
		return err
	}
	if err := l.shrink(true); !errors.Is(err, ErrClosed) {
		return errors.Join(err, l.removeTwins())
	}
	return nil
}

// shrink saves the cursor when it is due, or now, and deletes the segments that are dealt with.
func (l *Log) shrink(now bool) error {
	if l.drained() {
		// The whole log has been dealt with: end its last segment so that it can go too.
		l.leader <- struct{}{}
		var err error
		if l.drained() { // nothing was appended in the meantime
			err = l.seal()
		}
		<-l.leader
		if err != nil {
			return err
		}
		now = true
	}
	return l.saveAndRemove(now)
}

// drained reports whether there are segments but nothing in them that is not dealt with.
func (l *Log) drained() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.segments) > 0 && l.settled()
}

// saveAndRemove saves the cursor when it is due and then deletes the segments that are dealt with, in this order: a
// segment goes only when the durable cursor says that it may.
func (l *Log) saveAndRemove(now bool) error {
	l.saveMu.Lock()
	defer l.saveMu.Unlock()
	l.mu.Lock()
	due := now || l.ripe || l.unsaved >= cursorEveryBytes || l.opt.Now().Sub(l.savedAt) >= cursorEvery
	dirty := l.dirty
	l.mu.Unlock()
	if !due {
		return nil
	}
	if dirty {
		if err := l.save(nil); err != nil {
			return err
		}
	}
	l.report(l.removeDone())
	return nil
}

// save makes the cursor durable, as if also all of gone, which may be nil, had been dealt with. The caller holds saveMu.
func (l *Log) save(gone *info) error {
	l.mu.Lock()
	c, unsaved := l.snapshot(gone), l.unsaved
	var spent []*info
	for _, i := range l.segments {
		if i.spent() || i == gone {
			spent = append(spent, i)
		}
	}
	ripe := l.ripe
	l.dirty, l.ripe = false, false
	l.mu.Unlock()
	err := l.store.save(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.dirty, l.ripe = true, l.ripe || ripe
		return err
	}
	for _, i := range spent {
		i.forgotten = true
	}
	l.unsaved -= unsaved
	l.savedAt = l.opt.Now()
	return nil
}

// snapshot returns the cursor as it should be on disk. The caller holds mu.
func (l *Log) snapshot(gone *info) cursor {
	c := cursor{Position: Position{l.next, 0}}
	first := true
	for _, i := range l.segments {
		done := i.done
		if i == gone {
			done = spans{{0, i.size}}
		}
		if first {
			if i == gone || i.spent() {
				continue
			}
			first = false
			c.Position = Position{i.number, done.past(0)}
			if len(done) > 0 && done[0].from == 0 {
				done = done[1:]
			}
		}
		for _, s := range done {
			c.Done = append(c.Done, doneRange{i.number, s})
		}
	}
	return c
}

// removeDone deletes the segments that the durable cursor does not need, oldest first, and stops at the first that
// cannot be deleted.
func (l *Log) removeDone() error {
	for {
		l.mu.Lock()
		k := slices.IndexFunc(l.segments, func(i *info) bool { return i.forgotten })
		if k < 0 {
			l.mu.Unlock()
			return nil
		}
		i := l.segments[k]
		l.mu.Unlock()
		if err := l.removeTwin(i); err != nil {
			return err
		}
		if err := l.opt.FS.Remove(l.path(i)); err != nil && !os.IsNotExist(err) {
			return err
		}
		if k > 0 {
			// The cursor names it as long as it may come back: with the next save it will be told no longer.
			if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
				return fmt.Errorf("delete a segment: %w", err)
			}
		}
		l.mu.Lock()
		l.segments = slices.DeleteFunc(l.segments, func(s *info) bool { return s == i })
		l.mu.Unlock()
		l.opt.Budget.Release(i.disk)
	}
}
