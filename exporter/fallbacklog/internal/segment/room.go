package segment

import (
	"errors"
	"time"
)

// Room makes room in logs that share a budget, by dropping segments one at a time: what one caller frees may do for the
// next. A disk that hangs in a drop keeps no caller beyond its time; the drop goes on until the disk lets it end. Safe for
// concurrent use.
type Room struct {
	dropping chan struct{} // capacity 1: has an element while a segment is dropped
}

// NewRoom returns a Room.
func NewRoom() *Room { return &Room{dropping: make(chan struct{}, 1)} }

// dropResult is what came of a drop.
type dropResult struct {
	dropped bool
	err     error
}

// Append calls tryAppend, which must not take longer than within, and drop for as long as tryAppend fails for want of room
// and drop makes some. It fails with ErrStalled when there is none in time.
func (r *Room) Append(within time.Duration, tryAppend func() error, drop func() (bool, error)) error {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		select {
		case r.dropping <- struct{}{}:
		case <-late.C:
			return ErrStalled
		}
		err := tryAppend()
		if !errors.Is(err, ErrFull) || errors.Is(err, ErrNoRoom) {
			<-r.dropping
			return err
		}
		result := make(chan dropResult, 1)
		go func() {
			dropped, err := drop()
			<-r.dropping
			result <- dropResult{dropped, err}
		}()
		select {
		case d := <-result:
			if !d.dropped || d.err != nil {
				return errors.Join(err, d.err)
			}
		case <-late.C:
			return ErrStalled
		}
	}
}
