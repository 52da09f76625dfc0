// Package health sums up what is wrong with a component, by signal.
package health

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Trouble is a kind of thing that is wrong with a signal.
type Trouble int

// The troubles. Those before Refused are of the logs.
const (
	Appending Trouble = iota
	Burying
	Reading
	Tending
	Refused
	Locked
	troubles
)

func (t Trouble) String() string {
	return [...]string{
		"the log takes no data", "the dead letter takes no data", "the log cannot be read", "the log cannot shrink",
		"the downstream refuses the signal", "records of the log need another key",
	}[t]
}

// OfLogs reports whether the trouble is one of the signal's logs.
func (t Trouble) OfLogs() bool { return t < Refused }

// Health is safe for concurrent use.
type Health struct {
	changed func(Change)

	mu      sync.Mutex
	signals map[string]*[troubles]error
}

// Change is what is wrong with a signal, and with the component, after a change.
type Change struct {
	Signal    string
	Trouble   Trouble
	Err       error // of the trouble; nil: it is over
	Component error // of all troubles of all signals; nil: there is none
	Turned    bool  // the signal had no trouble before, or has none now
}

// New returns the health of a component that is well. changed is called with each change, in their order. It must not
// call the Health.
func New(changed func(Change)) *Health {
	return &Health{changed: changed, signals: map[string]*[troubles]error{}}
}

// Set notes a trouble, or with nil that it is over. Where a trouble goes on, the error that it began with is kept.
func (h *Health) Set(signal string, t Trouble, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.signals[signal]
	if s == nil {
		s = &[troubles]error{}
		h.signals[signal] = s
	}
	if (err == nil) == (s[t] == nil) {
		return
	}
	was := join(s[:]) == nil
	s[t] = err
	h.changed(Change{Signal: signal, Trouble: t, Err: err, Component: h.sum(), Turned: was != (join(s[:]) == nil)})
}

// Has reports whether a signal has a trouble.
func (h *Health) Has(signal string, t Trouble) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.signals[signal]
	return s != nil && s[t] != nil
}

// LogErr is why a signal's logs do not do what they are for, nil where they do.
func (h *Health) LogErr(signal string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.signals[signal]
	if s == nil {
		return nil
	}
	return join(s[:Refused])
}

// Tell calls to with all troubles. to must not call the Health.
func (h *Health) Tell(to func(error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	to(h.sum())
}

// sum is for callers that hold mu.
func (h *Health) sum() error {
	var errs []error
	for _, signal := range slices.Sorted(maps.Keys(h.signals)) {
		if err := join(h.signals[signal][:]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", signal, err))
		}
	}
	return errors.Join(errs...)
}

// join joins the errors of a signal's first troubles.
func join(signal []error) error {
	var errs []error
	for t, err := range signal {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", Trouble(t), err))
		}
	}
	return errors.Join(errs...)
}
