package delivery

import "time"

// expire deletes the records of the window that are older than MaxAge, and reports whether there were any.
func (r *replayer) expire() bool {
	age := r.group.opt.MaxAge
	return age > 0 && r.deleteExpired(r.window.olderThan(r.group.opt.Now().Add(-age)))
}

// skipOld deletes the records that are older than MaxItemAge, and reports whether there were any. If so, the other records wait
// again.
func (r *replayer) skipOld(records []*pending) bool {
	age := r.group.opt.MaxItemAge
	if age == 0 {
		return false
	}
	limit := r.group.opt.Now().Add(-age)
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
	r.putBack(others)
	return r.deleteExpired(old)
}

func (r *replayer) deleteExpired(old []*pending) bool {
	for _, p := range old {
		r.opt.Observer.Expired(p.items)
		r.finish(p)
	}
	return len(old) > 0
}

// nextExpiry returns the time until the oldest record of the window expires.
func (r *replayer) nextExpiry() (left time.Duration, ok bool) {
	age := r.group.opt.MaxAge
	if age == 0 {
		return 0, false
	}
	first, ok := r.window.firstWritten()
	return max(0, first.Add(age).Sub(r.group.opt.Now())), ok
}
