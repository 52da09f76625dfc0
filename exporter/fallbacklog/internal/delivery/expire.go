package delivery

import "time"

// expireOnly is replay's place where nothing is replayed: it only lets records go that are too old.
func (l *Lane) expireOnly() {
	defer close(l.replayed)
	var w window
	for !l.stopping() {
		r, err := l.pick(&w)
		switch {
		case err != nil:
			l.trouble(err)
		case r == nil:
			l.wait(l.opt.Log.Readable(), 0)
		case !l.expire(&w):
			l.rest(&w, l.group.set.MaxAge)
		}
	}
}

// expire lets the records of the window go that are too old, and reports whether there were any.
func (l *Lane) expire(w *window) bool {
	age := l.group.set.MaxAge
	if age == 0 {
		return false
	}
	old := w.olderThan(l.group.set.Now().Add(-age))
	for _, r := range old {
		l.opt.Observer.Expired(r.items)
		l.settle(w, r)
	}
	return len(old) > 0
}

// rest waits for d, or less where a record of the window expires before.
func (l *Lane) rest(w *window, d time.Duration) {
	if age := l.group.set.MaxAge; age > 0 {
		for _, r := range w.records {
			d = min(d, max(0, r.written.Add(age).Sub(l.group.set.Now())))
		}
	}
	l.wait(nil, d)
}
