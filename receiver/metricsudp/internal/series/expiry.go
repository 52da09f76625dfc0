package series

// Advance begins a new epoch, before the tables are asked to swap.
func (r *Registry) Advance() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.swap++
}

// sweepStep is how many series are visited under one hold of the mutex: about
// 10 us in which a reader with a new line may have to wait.
const sweepStep = 1024

// Sweep calls each, which must be quick, for every series and drops those that no line
// named for ExpirySwaps epochs. The flusher calls it when all tables have swapped and
// their epochs are merged; touched are the series on the epochs' lists.
func (r *Registry) Sweep(touched []*Series, each func(*Series)) {
	for from := 0; from < len(touched); from += sweepStep {
		r.touch(touched[from:min(from+sweepStep, len(touched))])
	}
	for from, more := 0, true; more; {
		from, more = r.sweepFrom(from, each)
	}
}

func (r *Registry) touch(touched []*Series) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range touched {
		s.lastUsed = r.swap
	}
}

// sweepFrom visits one step. Pending and Offered belong to the flusher, which is the caller.
func (r *Registry) sweepFrom(from int, each func(*Series)) (next int, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := min(from+sweepStep, len(r.all))
	for i := from; i < end; {
		s := r.all[i]
		if !s.Pending && !s.Offered && r.swap-s.lastUsed >= r.options.ExpirySwaps {
			r.drop(i)
			end = min(end, len(r.all))
			continue
		}
		each(s)
		i++
	}
	return end, end < len(r.all)
}

// drop removes a series; the last takes its place.
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
		r.leave(s.Origin)
		r.budget.Release(r.seriesBytes(s.key, m.Name))
		for _, to := range s.locals { // no reader has it any more
			if to != nil {
				r.budget.Release(shareBytes(m.aggregator))
			}
		}
	}
	s.value.clear() // what a cumulative series holds is another's now
	if m.series--; m.series == 0 {
		delete(r.metrics, metricID{m.Name, m.Kind})
	}
}
