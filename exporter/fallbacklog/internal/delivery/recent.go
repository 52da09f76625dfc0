package delivery

import "sync"

const (
	recentRequests = 10
	recentPassed   = 9 // of them, for a failure to be the data's
)

// recent is how the last requests went, without the further failures of data that has failed before. Safe for concurrent use.
type recent struct {
	mu     sync.Mutex
	passed [recentRequests]bool
	next   int
}

func (r *recent) add(passed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passed[r.next] = passed
	r.next = (r.next + 1) % recentRequests
}

// well reports whether so many of them passed that a failure is not the downstream's.
func (r *recent) well() bool { return r.count() >= recentPassed }

// mostly reports whether half of them passed: the downstream is not away.
func (r *recent) mostly() bool { return r.count() >= recentRequests/2 }

func (r *recent) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, passed := range r.passed {
		if passed {
			n++
		}
	}
	return n
}
