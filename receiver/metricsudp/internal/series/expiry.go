package series

// Advance begins a new epoch. The flusher calls it before it asks the readers to swap.
func (r *Registry) Advance() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.swap++
}

// sweepStep is the number of series that a sweep visits before it unlocks the mutex. A reader with a new line may wait that
// long, about 10 us.
const sweepStep = 1024

// Sweep removes the series that no line named for ExpirySwaps epochs and calls each for every other series. The function each
// must be quick. The flusher calls Sweep after all tables have swapped and their epochs are merged.
func (r *Registry) Sweep(each func(*Series)) {
	for from, more := 0, true; more; {
		from, more = r.sweepFrom(from, each)
	}
}

// sweepFrom visits up to sweepStep series. It may read Pending and Offered, because the flusher calls it.
func (r *Registry) sweepFrom(from int, each func(*Series)) (next int, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := min(from+sweepStep, len(r.all))
	for i := from; i < end; {
		s := r.all[i]
		if !s.Pending && !s.Offered && r.swap-s.lastUsed.Load() >= r.options.ExpirySwaps {
			r.drop(i)
			end = min(end, len(r.all))
			continue
		}
		each(s)
		i++
	}
	return end, end < len(r.all)
}

// drop removes the series at an index. The last series moves to that index.
func (r *Registry) drop(i int) {
	s := r.all[i]
	last := len(r.all) - 1
	r.all[i], r.all[last] = r.all[last], nil
	r.all = r.all[:last]
	m := s.Metric
	if s.Overflow {
		m.overflow = nil
	} else {
		delete(r.series, seriesID{s.Origin, s.key})
		r.releaseOrigin(s.Origin)
		r.budget.Release(r.seriesBytes(s.key, m.Name))
		for _, to := range s.parts { // no reader uses them any more
			if to != nil {
				r.budget.Release(partCharge(m.aggregator))
			}
		}
	}
	s.value.clear() // returns the memory of a cumulative series to its pool
	if m.series--; m.series == 0 {
		delete(r.metrics, metricID{m.Name, m.Kind})
	}
}
