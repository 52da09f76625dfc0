package segment

import (
	"errors"
	"fmt"
	"io/fs"
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
	// MinFree is what must stay free on the file system for everyone else, in bytes.
	MinFree int64
	// Free measures the file system; nil: only Max counts.
	Free func() (int64, error)

	mu        sync.Mutex
	used      int64
	unwritten int64   // reserved and not yet on the disk: the file system still calls it free
	spares    []spare // oldest first
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
			b.unwritten += n
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
	free, limited, err := b.left()
	if err != nil {
		return err
	}
	if limited && n > free {
		cause := ErrFull
		if n > free+b.used {
			cause = ErrNoRoom // dropping all that the log has would not do
		}
		return fmt.Errorf("%w: %d bytes are free on the file system above min_free_disk_mib", cause, max(0, free))
	}
	if b.used+n > b.Max {
		return fmt.Errorf("%w: %d of %d bytes used", ErrFull, b.used, b.Max)
	}
	return nil
}

// left returns what the file system leaves the log; limited is false when nothing measures it. The caller holds mu.
func (b *Budget) left() (bytes int64, limited bool, err error) {
	if b.Free == nil {
		return 0, false, nil
	}
	free, err := b.Free()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil // the directory has been taken away, and is made again by who writes
	}
	if err != nil {
		return 0, false, fmt.Errorf("measure the free disk space: %w", err)
	}
	return free - b.MinFree - b.unwritten, true, nil
}

// Left returns what the file system leaves the log beyond what it has, in bytes, less than nothing where it is short; ok
// is false when that cannot be measured.
func (b *Budget) Left() (bytes int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bytes, limited, err := b.left()
	return bytes, limited && err == nil
}

// Capacity is how large the log may become: Max, or less where the file system has less.
func (b *Budget) Capacity() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes, limited, err := b.left(); limited && err == nil {
		return min(b.Max, b.used+max(0, bytes))
	}
	return b.Max
}

// diskIsShort reports whether the file system, and not Max, is what bounds the log now.
func (b *Budget) diskIsShort() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	bytes, limited, err := b.left()
	return err == nil && limited && bytes < b.Max-b.used
}

// Written says that n reserved bytes are on the disk, or that their write has failed.
func (b *Budget) Written(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unwritten -= n
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
