package delivery

import (
	"errors"
	"fmt"
	"sync"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// condition is whether a lane's logs do what they are for. Safe for concurrent use.
type condition struct {
	tell func(error) // of each change, in their order: why not, or nil

	mu       sync.Mutex
	troubles [troubles]error
	refused  [troubles]int64 // bytes of the record that was not taken
}

// trouble is what a log does not do.
type trouble int

const (
	appending trouble = iota
	burying
	reading
	tending
	troubles
)

func (t trouble) String() string {
	return [...]string{"the log takes no data", "the dead letter takes no data", "the log cannot be read", "the log cannot shrink"}[t]
}

// set notes that something does not work, or with nil that it does.
func (c *condition) set(t trouble, err error) { c.note(t, err, 0) }

// appended notes how an append has ended. A record that is too large says nothing about others.
func (c *condition) appended(t trouble, line []byte, err error) {
	if !errors.Is(err, segment.ErrTooLarge) {
		c.note(t, err, len(line))
	}
}

func (c *condition) note(t trouble, err error, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := (err == nil) != (c.troubles[t] == nil)
	c.troubles[t], c.refused[t] = err, int64(bytes)
	if changed {
		c.tell(c.join())
	}
}

// err is what does not work, nil where all does.
func (c *condition) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.join()
}

// join is err for a caller that holds mu.
func (c *condition) join() error {
	var errs []error
	for t, err := range c.troubles {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", trouble(t), err))
		}
	}
	return errors.Join(errs...)
}

// retry asks the log whether it would take by now what it has not; where there is no such trouble it asks nothing.
func (c *condition) retry(t trouble, log Log) {
	c.mu.Lock()
	troubled, bytes := c.troubles[t] != nil, c.refused[t]
	c.mu.Unlock()
	if troubled {
		if err := log.Try(bytes); err == nil {
			c.set(t, nil)
		}
	}
}
