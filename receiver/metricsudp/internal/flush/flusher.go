// Package flush takes the readers' epochs once an interval, merges them and hands
// them on.
//
// A [Flusher] swaps and merges in its own goroutine and a [Sender] calls the
// consumer in another, so neither a slow nor a failing consumer keeps the readers'
// epochs from being swapped.
//
// A delta interval that is refused is offered again unchanged. What comes meanwhile
// gathers in the series, as one interval behind it: a series has at most two values,
// however long the consumer refuses. Cumulative points and gauges that are refused
// are replaced by those of the next flush. Sets, summaries and points with a time of
// their own are of an interval in either temporality.
package flush

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Source is a reader as the flusher sees it.
type Source interface {
	Swap()
	Stop()
	Retired() <-chan *series.Epoch
	Stats() (socket.Stats, error)
}

// Clock tells when to flush.
type Clock interface {
	// Now is the time of the final flush, and of the start.
	Now() time.Time
	// Next waits for the end of an interval and returns it; false when stopped.
	Next(stopped <-chan struct{}) (time.Time, bool)
}

// Settings of a flusher.
type Settings struct {
	Registry *series.Registry
	Sources  []Source
	Builder  *Builder
	Sender   *Sender
	Clock    Clock
	// Received is the readers' clock, in nanoseconds: what they stamp is turned into
	// time by what both clocks say at the flush.
	Received func() int64
	Report   func(*Report) // called once a flush
	// Ended is called once, when all sources have ended: nothing is read any more.
	Ended func() error
}

// Flusher owns the state of the series. Its methods but Shutdown are for Run's
// goroutine.
type Flusher struct {
	Settings
	last    time.Time // end of the interval before
	epochs  []*series.Epoch
	touched []*series.Series // that lines in these epochs named
	pending []*series.Series // with values not handed on
	offered []*series.Series // with a restated point that was handed on and may be refused
	live    []*series.Series // all, where points are repeated
	timed   []series.TimedPoint
	drops   []uint32 // of each socket, as last seen

	stopped chan struct{}
	ctx     context.Context // of Shutdown; set before stopped is closed
	done    chan struct{}
	err     error // of the final flush; set before done is closed
}

// New returns a flusher for which Run is to be called once.
func New(s Settings) *Flusher {
	return &Flusher{
		Settings: s,
		last:     s.Clock.Now(),
		drops:    make([]uint32, len(s.Sources)),
		stopped:  make(chan struct{}),
		done:     make(chan struct{}),
	}
}

// Run flushes at the end of every interval until Shutdown.
func (f *Flusher) Run() {
	defer close(f.done)
	ticks, flushed := make(chan time.Time), make(chan struct{})
	go f.tick(ticks, flushed)
	for {
		select {
		case now, ok := <-ticks:
			if !ok {
				f.err = f.final()
				return
			}
			f.flush(now)
			flushed <- struct{}{}
		case <-f.Sender.Returned():
			f.restate()
		}
	}
}

// tick sends the ends of intervals and waits for each flush. It ends with Shutdown.
func (f *Flusher) tick(ticks chan<- time.Time, flushed <-chan struct{}) {
	defer close(ticks)
	for {
		now, ok := f.Clock.Next(f.stopped)
		if !ok {
			return
		}
		ticks <- now
		<-flushed
	}
}

// Shutdown ends the readers and hands on everything they received. It is called
// once, and returns when the consumer has taken it or ctx is done.
func (f *Flusher) Shutdown(ctx context.Context) error {
	f.ctx = ctx
	close(f.stopped)
	<-f.done
	return f.err
}

// ErrNotHandedOn is returned by Shutdown where the consumer did not take the last
// points in time.
var ErrNotHandedOn = errors.New("points were not handed on before the end of shutdown")

func (f *Flusher) flush(now time.Time) {
	started := time.Now()
	report := f.retire(Source.Swap)
	f.collect(now, report)
	left, reserved := f.Sender.TryReserve()
	if !reserved && f.Builder.Cumulative {
		left, reserved = f.Sender.Recall()
	}
	if reserved {
		left = f.replace(left)
	}
	f.sweep()
	f.Registry.Trim()
	report.Series = f.Registry.Len()
	if reserved {
		f.handOn(left, len(left) == 0)
	}
	report.Duration = time.Since(started)
	f.Report(report)
}

// restate replaces what the consumer refused while the last flush could not recall it.
func (f *Flusher) restate() {
	left, ok := f.Sender.TryReserve()
	switch {
	case !ok:
	case len(left) == 0:
		f.Sender.Send(nil)
	default:
		left = f.replace(left)
		f.sweep()
		f.handOn(left, len(left) == 0)
	}
}

func (f *Flusher) final() error {
	started := time.Now()
	now := f.Clock.Now()
	report := f.retire(Source.Stop)
	err := f.Ended() // before what takes time
	f.collect(now, report)
	report.Series = f.Registry.Len()
	report.Duration = time.Since(started)
	f.Report(report)
	held := 0
	if left, ok := f.Sender.Reserve(f.ctx); ok {
		left = f.replace(left)
		f.sweep()
		f.handOn(left, true)
	} else {
		held = len(f.pending) + len(f.timed)
	}
	if held += f.Sender.Close(f.ctx); held > 0 {
		err = errors.Join(fmt.Errorf("%w: %d", ErrNotHandedOn, held), err)
	}
	return err
}

// retire takes the readers' epochs.
func (f *Flusher) retire(ask func(Source)) *Report {
	f.Registry.Advance()
	// All are asked before the first is waited for, so that the epochs end together.
	for _, s := range f.Sources {
		ask(s)
	}
	f.epochs = f.epochs[:0]
	for _, s := range f.Sources {
		f.epochs = append(f.epochs, <-s.Retired())
	}
	return f.report() // before the merge, which empties the epochs
}

// collect merges the epochs into the series.
func (f *Flusher) collect(now time.Time, report *Report) {
	from := f.last
	if !now.After(from) { // the wall clock was set back
		now = from.Add(1)
	}
	f.last = now
	report.Stats.DroppedPoints += f.keepTimed()
	f.merge(from)
}

// keepTimed adds the epochs' points with a time of their own to those that wait, and
// returns how many found no room: they cannot coalesce.
func (f *Flusher) keepTimed() (dropped uint64) {
	room := f.Registry.Options().TimedPoints
	clock := f.Clock.Now().UnixNano() - f.Received()
	for _, e := range f.epochs {
		for i := range e.Timed {
			if p := &e.Timed[i]; p.Received {
				p.Time += clock
			}
		}
		n := min(len(e.Timed), max(room-len(f.timed), 0))
		f.timed = append(f.timed, e.Timed[:n]...)
		dropped += uint64(len(e.Timed) - n)
	}
	return dropped
}

// merge brings the epochs to their series and gives them back to the readers.
func (f *Flusher) merge(from time.Time) {
	touched := func(s *series.Series, values bool) {
		f.touched = append(f.touched, s)
		if s.Pending || !values {
			return
		}
		s.Pending = true
		if s.Last.IsZero() {
			s.Last = from
		}
		f.pending = append(f.pending, s)
	}
	for _, e := range f.epochs {
		e.Merge(touched)
	}
	for _, s := range f.pending {
		s.Settle()
	}
}

// replace makes pending again what was refused in batches that are restated, and returns the other offers unchanged.
func (f *Flusher) replace(left []offer) (frozen []offer) {
	refused := map[*series.Origin]bool{}
	for _, o := range left {
		if o.Restated {
			refused[o.Origin] = true
		} else {
			frozen = append(frozen, o)
		}
	}
	for _, s := range f.offered {
		s.Offered = false
		if refused[s.Origin] && !s.Pending {
			s.Pending = true
			f.pending = append(f.pending, s)
		}
	}
	clear(f.offered)
	f.offered = f.offered[:0]
	return frozen
}

// sweep removes expired series and lists those whose points are repeated.
func (f *Flusher) sweep() {
	clear(f.live)
	f.live = f.live[:0]
	f.Registry.Sweep(f.touched, func(s *series.Series) {
		if !s.Pending && !s.Last.IsZero() && f.Builder.Repeats(s) {
			f.live = append(f.live, s)
		}
	})
	clear(f.touched)
	f.touched = f.touched[:0]
}

// handOn gives the sender, which has been reserved, the offers that are left and behind them all that waits, points
// of intervals only if intervals is true. Without it they gather behind those that are left.
func (f *Flusher) handOn(left []offer, intervals bool) {
	f.Builder.begin(f.last)
	waiting := f.pending[:0]
	for _, s := range f.pending {
		restates := f.Builder.Restates(s)
		if !restates && !intervals {
			waiting = append(waiting, s)
			continue
		}
		f.Builder.Add(s)
		s.Pending = false
		if restates {
			s.Offered = true
			f.offered = append(f.offered, s)
		}
	}
	clear(f.pending[len(waiting):])
	f.pending = waiting
	for _, s := range f.live {
		f.Builder.Add(s)
	}
	if intervals {
		for i := range f.timed {
			f.Builder.AddTimed(&f.timed[i])
		}
		clear(f.timed)
		f.timed = f.timed[:0]
	}
	f.Sender.Send(append(left, f.Builder.end()...))
}
