package limit

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
