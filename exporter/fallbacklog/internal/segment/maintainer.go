package segment

import "github.com/otelcol-custom/otelcol-custom/internal/wait"

// maintainer runs maintenance in a goroutine of its own, so that appends do not wait for it: it saves the cursor and deletes
// segments.
type maintainer struct {
	*queue
	stop  chan struct{}
	ended chan struct{} // closed when the goroutine has ended
}

func newMaintainer(opt Options) *maintainer {
	return &maintainer{queue: newQueue(opt), stop: make(chan struct{}), ended: make(chan struct{})}
}

// call runs work and returns its error. It is safe for concurrent use, but must not be called from the goroutine itself.
func (k *maintainer) call(work func() error) error { return k.do(&task{work: work}) }

// run is the goroutine, until close.
func (k *maintainer) run() {
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

func (k *maintainer) doQueued() {
	for t := k.first(); t != nil; t = k.first() {
		if k.dequeue(t) {
			k.begin()
			err := t.work()
			k.end()
			k.finish(t, err)
		}
	}
}

// close finishes the queued tasks and ends the goroutine. It returns ErrStalled if that takes too long.
func (k *maintainer) close() error {
	k.queue.close()
	close(k.stop)
	if !wait.For(k.ended, k.maxWait()) {
		return ErrStalled
	}
	return nil
}
