package segment

import "github.com/otelcol-custom/otelcol-custom/internal/wait"

// keeper runs work that keeps the log in order: it saves the cursor and deletes segments. It has a goroutine of its own,
// so that appends do not wait for it.
type keeper struct {
	*queue
	stop  chan struct{}
	ended chan struct{} // closed when the goroutine has ended
}

func newKeeper(opt Options) *keeper {
	return &keeper{queue: newQueue(opt), stop: make(chan struct{}), ended: make(chan struct{})}
}

// call runs work and returns its error. Safe for concurrent use, but not for the goroutine itself.
func (k *keeper) call(work func() error) error { return k.do(&task{work: work}) }

// run is the goroutine, until close.
func (k *keeper) run() {
	defer close(k.ended)
	for {
		select {
		case <-k.wake:
			k.doQueued()
		case <-k.stop:
			k.doQueued()
			return
		}
	}
}

func (k *keeper) doQueued() {
	for t := k.first(); t != nil; t = k.first() {
		if k.dequeue(t) {
			k.begin()
			err := t.work()
			k.end()
			k.finish(t, err)
		}
	}
}

// close does what waits and ends the goroutine, or returns ErrStalled when that takes too long.
func (k *keeper) close() error {
	k.queue.close()
	close(k.stop)
	if !wait.For(k.ended, k.patience()) {
		return ErrStalled
	}
	return nil
}
