package delivery

import "sync"

// calls are the callers' batches that have not been answered. Safe for concurrent use.
type calls struct {
	mu      sync.Mutex
	closed  bool
	open    map[*call]struct{}
	awaited int           // calls of open that answer in a bounded time
	idle    chan struct{} // closed when closed and none is awaited
	free    []*call       // for the next ones: a healthy batch allocates none
}

// call is one batch. While the wrapped exporter has it, and does not come back, Shutdown writes it down in the caller's
// place.
type call struct {
	batch Batch

	mu       sync.Mutex
	attempts int
	sending  bool  // the wrapped exporter has it
	over     bool  // no further attempt
	rescued  bool  // settled by Shutdown, with err
	err      error // what the caller is to be told
}

func newCalls() *calls { return &calls{open: map[*call]struct{}{}, idle: make(chan struct{})} }

// enter counts a batch in; nil after close.
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

// exit counts a batch out: its caller is being answered.
func (cs *calls) exit(c *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, c)
	if !cs.closed { // nobody else has it: a rescue comes after close
		c.batch = nil
		cs.free = append(cs.free, c)
	}
	if !c.rescued { // written with mu held, see rescue
		cs.awaited--
	}
	cs.settle()
}

// close lets nobody in any more.
func (cs *calls) close() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.closed = true
	cs.settle()
}

// settle closes idle when it is time. The caller holds mu.
func (cs *calls) settle() {
	if !cs.closed || cs.awaited > 0 {
		return
	}
	select {
	case <-cs.idle:
	default:
		close(cs.idle)
	}
}

// rescue ends all attempts: what the wrapped exporter has is settled by store, the rest by its own caller, who is on
// the way. After close; then idle comes without the wrapped exporter's doing.
func (cs *calls) rescue(store func(b Batch, attempts int) error) (batches, items int, errs []error) {
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
		c.rescued = true
		cs.awaited--
		cs.settle()
		cs.mu.Unlock()
		c.mu.Unlock()
	}
	return batches, items, errs
}

// begin says that the wrapped exporter gets the batch; false when it must not.
func (c *call) begin(attempt int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.attempts, c.sending = attempt, true
	return true
}

// end says that the wrapped exporter has come back. After a rescue the caller is told err, whatever the attempt brought.
func (c *call) end() (rescued bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sending = false
	return c.rescued, c.err
}
