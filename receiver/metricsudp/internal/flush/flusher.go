// Package flush retires the readers' epochs once per interval, merges them into the series and hands their points to the
// consumer.
//
// A [Flusher] swaps and merges in one goroutine, and a [Sender] calls the consumer in another one. So the epochs are swapped in
// time even if the consumer is slow or fails.
//
// A refused batch of delta points is offered again unchanged. Values that come meanwhile gather in their series and form one
// interval after it. So a series has at most two intervals, however long the consumer refuses. Refused cumulative points and
// gauges are replaced by the points of the next flush. Sets, summaries and points with a time of their own belong to one
// interval, with either temporality.
package flush

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Source is a reader.
type Source interface {
	Swap()
	Stop()
	Retired() <-chan *series.Epoch
	Stats() (socket.Stats, error)
}

// Clock determines the times of the flushes.
type Clock interface {
	// Now returns the present time, at the start and at the final flush.
	Now() time.Time
	// Next waits for the end of an interval and returns it. It returns false after stopped is closed.
	Next(stopped <-chan struct{}) (time.Time, bool)
}

// Options of a flusher.
type Options struct {
	Registry *series.Registry
	Sources  []Source
	Builder  *Builder
	Sender   *Sender
	Clock    Clock
	// Received returns the time of the readers' clock, in nanoseconds. At a flush, the difference between it and Clock.Now
	// converts the readers' times of receipt into wall-clock times.
	Received func() int64
	// OnReport is called once per flush.
	OnReport func(*Report)
	// OnSourcesEnded is called once, after all sources have ended. No line is read after that.
	OnSourcesEnded func() error
}

// Flusher owns the state of the series. Only Run's goroutine may call its methods, except Shutdown.
type Flusher struct {
	Options
	lastEnd  time.Time // end of the last interval
	epochs   []*series.Epoch
	pending  []*series.Series // series with values that were not handed on
	offered  []*series.Series // series with a restated point that was handed on and may be refused
	repeated []*series.Series // series without new values whose point is repeated
	timed    []series.TimedPoint
	drops    []uint32 // last value of each socket's drop counter

	seriesGroups groups[*series.Series]
	timedGroups  groups[series.TimedPoint]

	stopped chan struct{}
	ctx     context.Context // from Shutdown; set before stopped is closed
	done    chan struct{}
	err     error // of the final flush; set before done is closed
}

// New returns a flusher. Run must be called once.
func New(s Options) *Flusher {
	return &Flusher{
		Options: s,
		lastEnd: s.Clock.Now(),
		drops:   make([]uint32, len(s.Sources)),

		seriesGroups: groups[*series.Series]{metricOf: metricOfSeries},
		timedGroups:  groups[series.TimedPoint]{metricOf: metricOfTimed},

		stopped: make(chan struct{}),
		done:    make(chan struct{}),
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

// Shutdown ends the readers and hands on all points. It returns when the consumer has accepted them or ctx is done. It must be
// called once.
func (f *Flusher) Shutdown(ctx context.Context) error {
	f.ctx = ctx
	close(f.stopped)
	<-f.done
	return f.err
}

// ErrNotHandedOn is the error of Shutdown if the consumer did not accept the last points in time.
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
	f.OnReport(report)
}

// restate replaces offers that the consumer refused. The last flush could not recall them, because the consumer was running.
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
	err := f.OnSourcesEnded() // first, because the merge and the consumer need time
	f.collect(now, report)
	report.Series = f.Registry.Len()
	report.Duration = time.Since(started)
	f.OnReport(report)
	lost := 0
	if left, ok := f.Sender.Reserve(f.ctx); ok {
		left = f.replace(left)
		f.sweep()
		f.handOn(left, true)
	} else {
		lost = len(f.pending) + len(f.timed)
	}
	if lost += f.Sender.Close(f.ctx); lost > 0 {
		err = errors.Join(fmt.Errorf("%w: %d", ErrNotHandedOn, lost), err)
	}
	return err
}

// retire retires the epochs of all readers. request is Source.Swap or Source.Stop.
func (f *Flusher) retire(request func(Source)) *Report {
	f.Registry.Advance()
	// All readers get the request before the first answer is awaited, so that their epochs end at the same time.
	for _, s := range f.Sources {
		request(s)
	}
	f.epochs = f.epochs[:0]
	for _, s := range f.Sources {
		f.epochs = append(f.epochs, <-s.Retired())
	}
	return f.newReport() // before the merge, which empties the epochs
}

// collect merges the epochs into the series.
func (f *Flusher) collect(now time.Time, report *Report) {
	from := f.lastEnd
	if !now.After(from) { // the wall clock was set back
		now = from.Add(1)
	}
	f.lastEnd = now
	report.Stats.DroppedPoints += f.keepTimed()
	f.merge(from)
}

// keepTimed adds the epochs' timed points to those that wait. It returns the number of points without room. Unlike values of a
// series, timed points cannot be merged.
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

// merge merges the epochs into their series and returns the epochs to the readers.
func (f *Flusher) merge(from time.Time) {
	touched := func(s *series.Series, values bool) {
		if s.Pending || !values {
			return
		}
		s.Pending = true
		if s.Start.IsZero() {
			s.Start = from
		}
		f.pending = append(f.pending, s)
	}
	for _, e := range f.epochs {
		e.Merge(touched)
	}
	for _, s := range f.pending {
		s.FinishMerge()
	}
}

// replace makes the series of refused restated batches pending again. It returns the other offers, which must be offered again
// unchanged.
func (f *Flusher) replace(left []offer) (unchanged []offer) {
	refused := map[*series.Origin]bool{}
	for _, o := range left {
		if o.Restated {
			refused[o.Origin] = true
		} else {
			unchanged = append(unchanged, o)
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
	return unchanged
}

// sweep removes expired series and lists the series whose points are repeated.
func (f *Flusher) sweep() {
	clear(f.repeated)
	f.repeated = f.repeated[:0]
	f.Registry.Sweep(func(s *series.Series) {
		if !s.Pending && !s.Start.IsZero() && f.Builder.repeats(s) {
			f.repeated = append(f.repeated, s)
		}
	})
}

// handOn sends the offers that are left, and after them batches of the pending series. The sender must be reserved. If intervals
// is false, points that belong to an interval are not sent: their values continue to gather after the offers that are left.
func (f *Flusher) handOn(left []offer, intervals bool) {
	f.Builder.begin(f.lastEnd, f.Sender.newOffer)
	f.pending = f.seriesGroups.order(f.pending)
	waiting := f.pending[:0]
	for i, s := range f.pending {
		if i%series.WarmSeries == 0 {
			series.Warm(f.pending[i:min(i+series.WarmSeries, len(f.pending))])
		}
		restates := f.Builder.restates(s)
		if !restates && !intervals {
			waiting = append(waiting, s)
			continue
		}
		f.Builder.add(s)
		s.Pending = false
		if restates {
			s.Offered = true
			f.offered = append(f.offered, s)
		}
	}
	clear(f.pending[len(waiting):])
	f.pending = waiting
	f.repeated = f.seriesGroups.order(f.repeated)
	for _, s := range f.repeated {
		f.Builder.add(s)
	}
	if intervals {
		f.timed = f.timedGroups.order(f.timed)
		for i := range f.timed {
			f.Builder.addTimed(&f.timed[i])
		}
		clear(f.timed)
		f.timed = f.timed[:0]
	}
	f.Sender.Send(append(left, f.Builder.end()...))
}
