package segment

import (
	"errors"
	"time"
)

// Dropper drops segments to make room in logs that share a budget. It drops one at a time: the room that one caller makes may
// be enough for the next one. A disk that hangs in a drop blocks no caller beyond its time; the drop ends when the disk
// answers. It is safe for concurrent use.
type Dropper struct {
	dropping chan struct{} // capacity 1: contains an element while a segment is being dropped
}

// NewDropper returns a Dropper.
func NewDropper() *Dropper { return &Dropper{dropping: make(chan struct{}, 1)} }

// dropResult is the outcome of a drop.
type dropResult struct {
	dropped bool
	err     error
}

// Append calls tryAppend, which must not last longer than within. While tryAppend fails because the log is full, Append calls
// drop and tries again. It gives up when drop makes no room, and fails with ErrStalled after within.
func (d *Dropper) Append(within time.Duration, tryAppend func() error, drop func() (bool, error)) error {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		select {
		case d.dropping <- struct{}{}:
		case <-late.C:
			return ErrStalled
		}
		err := tryAppend()
		if !errors.Is(err, ErrFull) || errors.Is(err, ErrNoRoom) {
			<-d.dropping
			return err
		}
		result := make(chan dropResult, 1)
		go func() {
			dropped, err := drop()
			<-d.dropping
			result <- dropResult{dropped, err}
		}()
		select {
		case r := <-result:
			if !r.dropped || r.err != nil {
				return errors.Join(err, r.err)
			}
		case <-late.C:
			return ErrStalled
		}
	}
}
