package limit

import "sync/atomic"

// Counts counts decisions. Every point counts once among the enforced limits, and once more for each dry-run limit that it
// exceeds.
type Counts struct {
	enforced [][actions]int64 // index 0: no limit; index 1+i: limit i
	observed [][actions]int64
	// Shared counts the checks of the tracker of the keys beyond max_keys.
	Shared int64
}

func (n *Counts) init(limits int) {
	n.enforced = make([][actions]int64, 1+limits)
	n.observed = make([][actions]int64, limits)
}

func (n *Counts) add(limit int, a Action)     { n.enforced[1+limit][a]++ }
func (n *Counts) observe(limit int, a Action) { n.observed[limit][a]++ }

func (n *Counts) reset() {
	clear(n.enforced)
	clear(n.observed)
	n.Shared = 0
}

// Each calls yield for each count that is not zero. Limit is -1 for points that exceed no limit. DryRun is true for the counts
// of a dry-run limit.
func (n *Counts) Each(yield func(limit int, a Action, dryRun bool, points int64)) {
	for i := range n.enforced {
		for a, points := range n.enforced[i] {
			if points != 0 {
				yield(i-1, Action(a), false, points)
			}
		}
	}
	for i := range n.observed {
		for a, points := range n.observed[i] {
			if points != 0 {
				yield(i, Action(a), true, points)
			}
		}
	}
}

// Totals adds up Counts. It is safe for concurrent use.
type Totals struct {
	enforced, observed [][actions]atomic.Int64 // as in Counts
}

// NewTotals returns the totals of the cursors of s, all of them 0.
func (s *Set) NewTotals() *Totals {
	return &Totals{enforced: make([][actions]atomic.Int64, 1+s.Len()), observed: make([][actions]atomic.Int64, s.Len())}
}

// Add adds the counts of a batch.
func (t *Totals) Add(n *Counts) {
	n.Each(func(limit int, a Action, dryRun bool, points int64) {
		if dryRun {
			t.observed[limit][a].Add(points)
		} else {
			t.enforced[1+limit][a].Add(points)
		}
	})
}

// Each calls yield for each total that is not zero, as Counts.Each does.
func (t *Totals) Each(yield func(limit int, a Action, dryRun bool, points int64)) {
	for i := range t.enforced {
		for a := range t.enforced[i] {
			if points := t.enforced[i][a].Load(); points != 0 {
				yield(i-1, Action(a), false, points) //nolint:gosec // an index of actions
			}
		}
	}
	for i := range t.observed {
		for a := range t.observed[i] {
			if points := t.observed[i][a].Load(); points != 0 {
				yield(i, Action(a), true, points) //nolint:gosec // an index of actions
			}
		}
	}
}
