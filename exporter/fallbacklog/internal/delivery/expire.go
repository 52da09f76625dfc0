package delivery

import "time"

// expire lets the records of the window go that are older than MaxAge, and reports whether there were any.
func (r *replayer) expire() bool {
	age := r.group.set.MaxAge
	return age > 0 && r.letGo(r.window.olderThan(r.group.set.Now().Add(-age)))
}

// skipOld lets those of the records go whose turn has come too late for MaxItemAge, and reports whether there were any.
// The others wait again then.
func (r *replayer) skipOld(records []*pending) bool {
	age := r.group.set.MaxItemAge
	if age == 0 {
		return false
	}
	limit := r.group.set.Now().Add(-age)
	var old, others []*pending
	for _, p := range records {
		if p.written.After(limit) {
			others = append(others, p)
		} else {
			old = append(old, p)
		}
	}
	if len(old) == 0 {
		return false
	}
	r.release(others)
	return r.letGo(old)
}

func (r *replayer) letGo(old []*pending) bool {
	for _, p := range old {
		r.opt.Observer.Expired(p.items)
		r.finish(p)
	}
	return len(old) > 0
}

// nextExpiry is how long the first record of the window to expire has left.
func (r *replayer) nextExpiry() (left time.Duration, ok bool) {
	age := r.group.set.MaxAge
	if age == 0 {
		return 0, false
	}
	first, ok := r.window.firstWritten()
	return max(0, first.Add(age).Sub(r.group.set.Now())), ok
}
