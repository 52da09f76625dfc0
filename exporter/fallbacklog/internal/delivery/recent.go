package delivery

import "sync"

const (
	recentRequests = 10
	recentPassed   = 9 // needed for a failure to be the data's
)

// recent contains the outcomes of the last requests, without further failures of data that has failed before. It is safe for
// concurrent use.
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

// nearlyAllPassed reports whether so many of them passed that the data is the cause of a failure.
func (r *recent) nearlyAllPassed() bool { return r.count() >= recentPassed }

// halfPassed reports whether half of them passed: the downstream is not away.
func (r *recent) halfPassed() bool { return r.count() >= recentRequests/2 }

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
