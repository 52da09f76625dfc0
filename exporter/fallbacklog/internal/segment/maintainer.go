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
func (m *maintainer) call(work func() error) error { return m.do(&task{work: work}) }

// run is the goroutine, until close.
func (m *maintainer) run() {
	defer close(m.ended)
	for {
		select {
		case <-m.wake:
			m.doQueued()
		case <-m.stop:
			m.doQueued()
			return
		}
	}
}

func (m *maintainer) doQueued() {
	for t := m.first(); t != nil; t = m.first() {
		if m.dequeue(t) {
			m.begin()
			err := t.work()
			m.end()
			m.finish(t, err)
		}
	}
}

// close finishes the queued tasks and ends the goroutine. It returns ErrStalled if that takes too long.
func (m *maintainer) close() error {
	m.queue.close()
	close(m.stop)
	if !wait.For(m.ended, m.maxWait()) {
		return ErrStalled
	}
	return nil
}
