// Package health collects the troubles of a component by signal.
package health

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Trouble is a kind of problem of a signal.
type Trouble int

// The troubles. Those before Refused are of the logs.
const (
	Appending Trouble = iota
	DeadLettering
	Reading
	Shrinking
	Refused
	OtherKey
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

// Change is one change of a signal's troubles, and the sum of the component's troubles after it.
type Change struct {
	Signal        string
	Trouble       Trouble
	Err           error // of the trouble; nil: it is over
	Component     error // all troubles of all signals; nil: there is none
	HealthChanged bool  // the signal had no trouble before, or has none now
}

// New returns the health of a component without troubles. It calls changed for each change, in their order. changed must not
// call the Health.
func New(changed func(Change)) *Health {
	return &Health{changed: changed, signals: map[string]*[troubles]error{}}
}

// Set records a trouble, or with nil its end. While a trouble lasts its first error is kept.
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
	h.changed(Change{Signal: signal, Trouble: t, Err: err, Component: h.sum(), HealthChanged: was != (join(s[:]) == nil)})
}

// Has reports whether a signal has a trouble.
func (h *Health) Has(signal string, t Trouble) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.signals[signal]
	return s != nil && s[t] != nil
}

// LogErr returns the troubles of a signal's logs, or nil if there is none.
func (h *Health) LogErr(signal string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.signals[signal]
	if s == nil {
		return nil
	}
	return join(s[:Refused])
}

// Report calls report with all troubles, or with nil. report must not call the Health.
func (h *Health) Report(report func(error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	report(h.sum())
}

// sum joins the troubles of all signals. The caller holds mu.
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
