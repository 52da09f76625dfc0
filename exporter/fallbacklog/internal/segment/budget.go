package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"
)

var (
	// ErrFull means that a record does not fit: the log's share of the disk or the disk itself is used up.
	ErrFull = errors.New("log is full")
	// ErrNoRoom is an ErrFull that dropping records would not cure: the record is larger than the log may become, or others
	// fill the disk.
	ErrNoRoom = fmt.Errorf("%w and cannot make room", ErrFull)
	// ErrTooLarge is an ErrNoRoom of this record alone: smaller records are accepted.
	ErrTooLarge = fmt.Errorf("%w for so large a record", ErrNoRoom)
)

// Budget bounds the disk space of the logs that share it. Space is reserved before it is written, so the sum never exceeds Max.
// It is safe for concurrent use.
type Budget struct {
	// Max bounds the bytes of all segments and quarantined copies.
	Max int64
	// MinFree is the space that must stay free on the file system, in bytes.
	MinFree int64
	// Free returns the free space of the file system, in bytes. nil: only Max counts.
	Free func() (int64, error)

	mu        sync.Mutex
	used      int64   // bytes
	unwritten int64   // bytes reserved and not yet written: the file system still counts them as free
	spares    []spare // oldest first
}

// spare is a file that may be deleted when a record needs its space.
type spare struct {
	size   int64
	remove func() bool
}

// Reserve reserves n bytes and deletes spares if it must. It fails with ErrFull, or with ErrNoRoom if dropping records would
// not help.
func (b *Budget) Reserve(n int64) error {
	if n > b.Max {
		return fmt.Errorf("%w: %d bytes, the log may have %d", ErrTooLarge, n, b.Max)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		err := b.shortage(n)
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

// shortage returns why n more bytes would be too many, or nil. The caller holds mu.
func (b *Budget) shortage(n int64) error {
	free, limited, err := b.available()
	if err != nil {
		return err
	}
	if limited && n > free {
		cause := ErrFull
		if n > free+b.used {
			cause = ErrNoRoom // dropping the whole log would not make enough room
		}
		return fmt.Errorf("%w: %d bytes are free on the file system above min_free_disk_mib", cause, max(0, free))
	}
	if b.used+n > b.Max {
		return fmt.Errorf("%w: %d of %d bytes used", ErrFull, b.used, b.Max)
	}
	return nil
}

// available returns the space of the file system that the log may still use. limited is false if the space is not measured. The
// caller holds mu.
func (b *Budget) available() (bytes int64, limited bool, err error) {
	if b.Free == nil {
		return 0, false, nil
	}
	free, err := b.Free()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil // the directory was deleted; the next write creates it again
	}
	if err != nil {
		return 0, false, fmt.Errorf("measure the free disk space: %w", err)
	}
	return free - b.MinFree - b.unwritten, true, nil
}

// Available returns the space of the file system that the log may still use, in bytes. It is negative if less than MinFree is
// free. ok is false if the space cannot be measured.
func (b *Budget) Available() (bytes int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bytes, limited, err := b.available()
	return bytes, limited && err == nil
}

// Capacity returns how large the log may become: Max, or less if the file system has less room.
func (b *Budget) Capacity() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes, limited, err := b.available(); limited && err == nil {
		return min(b.Max, b.used+max(0, bytes))
	}
	return b.Max
}

// diskIsShort reports whether the file system, and not Max, limits the log now.
func (b *Budget) diskIsShort() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	bytes, limited, err := b.available()
	return err == nil && limited && bytes < b.Max-b.used
}

// Written records that n reserved bytes have been written, or that their write has failed.
func (b *Budget) Written(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unwritten -= n
}

// addSpare adds a file of n reserved bytes that may be deleted when a record needs its space, in the order of the calls. remove
// deletes the file and reports whether it is gone; it must not call the Budget.
func (b *Budget) addSpare(n int64, remove func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spares = append(b.spares, spare{n, remove})
}

// Release releases n reserved bytes.
func (b *Budget) Release(n int64) { b.Add(-n) }

// Add adds n bytes that exist already, as found at start-up. The sum may then exceed Max.
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

// markNoSpace marks an error that more space on the file system would cure as ErrNoRoom. How much space is missing, and whether
// others would use the space of dropped records, is not known, so no record is dropped for it.
func markNoSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, errQuota) {
		return fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	return err
}
