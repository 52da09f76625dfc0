package segment

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
)

var (
	// ErrFull says that a record would not fit: the log's share of the disk is used up, or the disk itself is.
	ErrFull = errors.New("log is full")
	// ErrNoRoom is an ErrFull that dropping records would not cure: the record is larger than the log may become, or
	// others fill the disk.
	ErrNoRoom = fmt.Errorf("%w and cannot make room", ErrFull)
	// ErrTooLarge is an ErrNoRoom of the record alone: others are taken.
	ErrTooLarge = fmt.Errorf("%w for so large a record", ErrNoRoom)
)

// Budget bounds the disk space of the logs that share it. Space is reserved before it is written, so that the sum
// stays within Max at every moment. Safe for concurrent use.
type Budget struct {
	// Max bounds the bytes in all segments and quarantined copies.
	Max int64
	// MinFree is what must stay free on the file system for everyone else, in bytes; 0 turns the check off.
	MinFree int64
	// Free measures the file system.
	Free func() (int64, error)

	mu     sync.Mutex
	used   int64
	spares []spare // oldest first
}

// spare is something on the disk that is worth less than a record.
type spare struct {
	size   int64
	remove func() bool
}

// Reserve takes n bytes, at the cost of spares where it must. It fails with ErrFull or, where nothing that the log could
// give up would help, ErrNoRoom.
func (b *Budget) Reserve(n int64) error {
	if n > b.Max {
		return fmt.Errorf("%w: %d bytes, the log may have %d", ErrTooLarge, n, b.Max)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		err := b.short(n)
		switch {
		case err == nil:
			b.used += n
			return nil
		case len(b.spares) == 0 || !errors.Is(err, ErrFull) || errors.Is(err, ErrNoRoom):
			return err
		}
		s := b.spares[0]
		b.spares = b.spares[1:]
		if s.remove() {
			b.used -= s.size
		}
	}
}

// short says why n more bytes would be too many. The caller holds mu.
func (b *Budget) short(n int64) error {
	if b.MinFree > 0 {
		free, err := b.Free()
		if err != nil {
			return fmt.Errorf("measure the free disk space: %w", err)
		}
		if free-n < b.MinFree {
			cause := ErrFull
			if free+b.used-n < b.MinFree {
				cause = ErrNoRoom // dropping all that the log has would not do
			}
			return fmt.Errorf("%w: %d bytes free on the file system, %d must stay free", cause, free, b.MinFree)
		}
	}
	if b.used+n > b.Max {
		return fmt.Errorf("%w: %d of %d bytes used", ErrFull, b.used, b.Max)
	}
	return nil
}

// Spare says that n bytes, reserved or added before, may go when room is needed, the first spare first. remove reports
// whether they are gone; it must not call the Budget.
func (b *Budget) Spare(n int64, remove func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spares = append(b.spares, spare{n, remove})
}

// Release gives n reserved bytes back.
func (b *Budget) Release(n int64) { b.Add(-n) }

// Add accounts for n bytes that are there already, as found at start-up; they may exceed Max.
func (b *Budget) Add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
}

// Used returns the bytes reserved.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// full marks an error of the file system that more space would cure. How much is missing, and whether others would
// take what the log gives up, is not known: no record is given up for it.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, errQuota) {
		return fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	return err
}
