package delivery

import "sync"

// calls contains the calls of Consume that have not returned. It is safe for concurrent use.
type calls struct {
	mu      sync.Mutex
	closed  bool
	open    map[*call]struct{}
	awaited int           // open calls that return in bounded time
	idle    chan struct{} // closed when closed is true and awaited is 0
	free    []*call       // for reuse, so that a healthy batch allocates none
}

// call is one call of Consume. If the wrapped exporter has the batch and does not return, Shutdown logs the batch instead of
// the caller.
type call struct {
	batch Batch

	mu       sync.Mutex
	attempts int
	sending  bool  // the wrapped exporter has the batch
	over     bool  // no further attempt is allowed
	logged   bool  // Shutdown has logged the batch, or failed to with err
	err      error // answer to the caller if logged
}

func newCalls() *calls { return &calls{open: map[*call]struct{}{}, idle: make(chan struct{})} }

// enter adds a call. It returns nil after close.
func (cs *calls) enter(b Batch) *call {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closed {
		return nil
	}
	var c *call
	if n := len(cs.free); n > 0 {
		c, cs.free = cs.free[n-1], cs.free[:n-1]
	} else {
		c = &call{}
	}
	c.batch = b
	cs.open[c] = struct{}{}
	cs.awaited++
	return c
}

// exit removes a call that is about to return.
func (cs *calls) exit(c *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, c)
	if !cs.closed { // logUnreturned, the only other user, comes after close
		c.batch = nil
		cs.free = append(cs.free, c)
	}
	if !c.logged { // written with cs.mu locked, see logUnreturned
		cs.awaited--
	}
	cs.closeIdle()
}

// close makes enter return nil.
func (cs *calls) close() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.closed = true
	cs.closeIdle()
}

// closeIdle closes idle if closed is true and awaited is 0. The caller holds mu.
func (cs *calls) closeIdle() {
	if !cs.closed || cs.awaited > 0 {
		return
	}
	select {
	case <-cs.idle:
	default:
		close(cs.idle)
	}
}

// logUnreturned ends all attempts. It calls store with each batch that is still in the wrapped exporter. The callers of the other
// batches are about to return. It must come after close. Afterwards idle is closed even if the wrapped exporter never returns.
func (cs *calls) logUnreturned(store func(b Batch, attempts int) error) (batches, items int, errs []error) {
	cs.mu.Lock()
	open := make([]*call, 0, len(cs.open))
	for c := range cs.open {
		open = append(open, c)
	}
	cs.mu.Unlock()
	for _, c := range open {
		c.mu.Lock()
		c.over = true
		if !c.sending {
			c.mu.Unlock()
			continue
		}
		batches++
		items += c.batch.Items()
		c.err = store(c.batch, c.attempts)
		if c.err != nil {
			errs = append(errs, c.err)
		}
		cs.mu.Lock()
		c.logged = true
		cs.awaited--
		cs.closeIdle()
		cs.mu.Unlock()
		c.mu.Unlock()
	}
	return batches, items, errs
}

// begin records that the wrapped exporter gets the batch. It returns false if no further attempt is allowed.
func (c *call) begin(attempt int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.attempts, c.sending = attempt, true
	return true
}

// end records that the wrapped exporter has returned. If Shutdown has logged the batch the caller returns err, whatever the
// result of the attempt.
func (c *call) end() (logged bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sending = false
	return c.logged, c.err
}
