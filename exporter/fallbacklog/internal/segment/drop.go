package segment

import (
	"errors"
	"io/fs"
)

// DropOldest deletes the oldest segment to make room and hands each of its records that Next has not returned to
// visit. Records that Next has returned stay the reader's. It reports true when the records are gone for good, and false
// when there are none to drop or when they are still there, whatever visit has seen. An error beside true says that the
// file stays, and so does the room that it takes.
func (l *Log) DropOldest(visit func(record []byte)) (bool, error) {
	l.leader <- struct{}{}
	defer func() { <-l.leader }()
	l.readMu.Lock()
	defer l.readMu.Unlock()

	l.mu.Lock()
	if len(l.segments) == 0 || l.closed {
		l.mu.Unlock()
		return false, nil
	}
	oldest := l.segments[0]
	l.mu.Unlock()

	if l.active != nil && l.active.info == oldest {
		if err := l.seal(); err != nil {
			return false, err
		}
	}
	l.stopReading(oldest)
	if err := l.visitUnread(oldest, visit); errors.Is(err, fs.ErrNotExist) {
		// It has been taken away: there is room, and nothing that could be dropped. The active segment is sealed.
		return true, l.restoreLocked()
	} else if err != nil {
		return false, err
	}
	return l.giveUp(oldest)
}

// giveUp moves the cursor behind the oldest segment and deletes it. Nothing has changed where the cursor cannot be
// saved: a restart would bring back what memory took for gone.
func (l *Log) giveUp(i *info) (bool, error) {
	l.saveMu.Lock()
	defer l.saveMu.Unlock()
	l.mu.Lock()
	spent, forgotten := i.spent(), i.forgotten
	l.mu.Unlock()
	if !forgotten {
		if err := l.save(i); err != nil {
			return false, err
		}
	}
	l.mu.Lock()
	i.read = i.size
	i.settle(0, i.size) // as the cursor says already
	l.mu.Unlock()
	err := l.removeDone()
	return !spent || err == nil, err
}

func (l *Log) visitUnread(i *info, visit func([]byte)) error {
	l.mu.Lock()
	unread, from, to := i.unread(), i.read, i.size
	l.mu.Unlock()
	if !unread {
		return nil
	}
	f, err := openContent(l.opt.FS, l.opt.Dir, i)
	if err != nil {
		return err
	}
	s := scanner{format: i.kind.Format, file: f, off: from}
	defer s.close()
	for {
		found, err := s.next(to)
		if err != nil {
			return err
		}
		switch found.kind {
		case aRecord:
			if l.isDone(i, found.start) {
				continue // in an earlier run
			}
			visit(found.data)
		case damage, torn:
			if l.opt.OnDamage != nil {
				l.opt.OnDamage(found.end - found.start)
			}
		case atEnd:
			return nil
		}
	}
}

// isDone reports whether the byte at an offset has been dealt with.
func (l *Log) isDone(i *info, at int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return i.done.past(at) > at
}
