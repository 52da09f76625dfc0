package segment

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNotPacked says that a segment stays as it was appended, since it could not be compressed.
var ErrNotPacked = errors.New("a segment stays uncompressed")

// maxPause bounds the pause after a frame: a clock may jump.
const maxPause = 100 * time.Millisecond

// wakePacker says that there may be something to pack.
func (l *Log) wakePacker() {
	select {
	case l.sealed <- struct{}{}:
	default:
	}
}

// packSealed is the worker of Options.Compress.
func (l *Log) packSealed() {
	defer l.stopped.Done()
	for {
		select {
		case <-l.stop:
			return
		case <-l.sealed:
			for l.packNext(l.pause) {
			}
		}
	}
}

// packNext compresses one segment, and reports whether there may be another one. A segment that it fails with stays
// plain until the next Open. rest is called after each frame with how long it took. Nobody else calls it while the worker
// runs.
func (l *Log) packNext(rest func(time.Duration)) bool {
	i := l.toPack()
	if i == nil {
		return false
	}
	done, ok := l.opt.Budget.turnToCopy(l.stop)
	if !ok {
		return false
	}
	defer done()
	switch err := l.pack(i, rest); {
	case errors.Is(err, errUnwanted), err != nil && !l.wanted(i):
		return l.toPack() != i // it still is where the log is being closed, or is somebody else's
	case err != nil:
		l.mu.Lock()
		i.plain = true
		l.mu.Unlock()
		l.report(fmt.Errorf("%w: %s: %w", ErrNotPacked, i.stem(), full(err)))
	}
	return true
}

// toPack returns the sealed segment whose turn to be read comes last: the others may be spent before they are compressed.
func (l *Log) toPack() *info {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range l.segments {
		if !l.opt.NewestFirst {
			k = len(l.segments) - 1 - k
		}
		if i := l.segments[k]; i.kind.Compressible && !i.open && !i.packed && !i.plain && i.size > 0 && !i.spent() {
			return i
		}
	}
	return nil
}

// wanted reports whether a segment is still there, ours, and needed.
func (l *Log) wanted(i *info) bool {
	if l.opt.Owned() != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.closed && slices.Contains(l.segments, i) && !i.spent()
}

// pause waits for as long as a frame took: what is appended meanwhile needs the processor, too.
func (l *Log) pause(d time.Duration) {
	if d = min(d, maxPause); d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.stop:
	}
}

// packedRatio is what packing leaves of a segment, 1 where that is not known. The caller holds mu.
func (l *Log) packedRatio() float64 {
	if l.ratio > 0 {
		return l.ratio
	}
	for _, i := range l.segments {
		if i.packed && i.size > 0 {
			return float64(i.disk) / float64(i.size)
		}
	}
	return 1
}
