package fallbacklog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

const (
	// answerReserve is kept of the caller's deadline for the append and for the way back.
	answerReserve = 500 * time.Millisecond
	// shutdownGrace is how long attempts in flight may still finish at Shutdown before they are cancelled.
	shutdownGrace = time.Second
)

// Reasons why data went to the log.
const (
	reasonLogOnly  = "log_only"         // there is no wrapped exporter
	reasonOpen     = "breaker_open"     // not tried, or not tried again
	reasonAttempts = "max_attempts"     // all attempts failed
	reasonBudget   = "budget"           // no time for another attempt
	reasonCanceled = "canceled"         // the caller gave up; the data is kept all the same
	reasonShutdown = "shutdown"         // in flight at Shutdown
	reasonSystemic = "systemic"         // refused in a way that would refuse everything
	reasonOpaque   = "opaque_permanent" // refused without a reason that a program can read
	reasonPoison   = "poison"           // dead letter: failed three times while others passed
	reasonRefused  = "permanent"        // dead letter: refused for good
)

var (
	errNotStarted = errors.New("the exporter is not started")
	errShutdown   = errors.New("the exporter is shut down")
	errAbandoned  = errors.New("the wrapped exporter does not come back")
)

// lane is one signal's way: attempts, log, dead letter, replay.
type lane struct {
	core    *core
	signal  string
	exports bool // there is a wrapped exporter
	decode  func(line []byte) (batch, record.Meta, error)
	tel     *laneTelemetry
	log     *segment.Log
	dead    *segment.Log // nil when disabled

	calls    *calls
	closing  chan struct{}   // closed when Shutdown begins
	cut      context.Context // cancelled when attempts must end
	cutNow   context.CancelFunc
	replayed chan struct{} // closed when replay has ended
}

func newLane(c *core, set exporter.Settings, signal string, decode func([]byte) (batch, record.Meta, error), exports bool) (*lane, error) {
	tel, err := newLaneTelemetry(c, set, signal)
	if err != nil {
		return nil, err
	}
	l := &lane{
		core: c, signal: signal, exports: exports, decode: decode, tel: tel,
		calls: newCalls(), closing: make(chan struct{}), replayed: make(chan struct{}),
	}
	l.cut, l.cutNow = context.WithCancel(context.Background())
	dir := filepath.Join(c.root, signal)
	if l.log, err = segment.Open(l.options(dir, c.logBudget)); err != nil {
		return nil, fmt.Errorf("log::directory: %w", err)
	}
	if c.cfg.DeadLetter.Enabled {
		if l.dead, err = segment.Open(l.options(filepath.Join(dir, "dead-letter"), c.deadSpace)); err != nil {
			return nil, errors.Join(fmt.Errorf("dead_letter: %w", err), l.log.Close())
		}
	}
	if err := tel.observe(l); err != nil {
		return nil, errors.Join(err, l.closeLogs())
	}
	return l, nil
}

func (l *lane) options(dir string, budget *segment.Budget) segment.Options {
	cfg := l.core.cfg.Log
	modes := map[Fsync]segment.SyncMode{
		FsyncBatch: segment.SyncBatch, FsyncInterval: segment.SyncInterval, FsyncNone: segment.SyncNone,
	}
	return segment.Options{
		Dir: dir, Extension: ".jsonl", Format: record.Lines{}, Budget: budget, FS: l.core.fs, Now: l.core.now,
		MaxSegmentBytes: min(cfg.MaxSegmentSizeMiB*mib, budget.Max), MaxSegmentAge: cfg.MaxSegmentAge,
		Sync: modes[cfg.Fsync], SyncInterval: cfg.FsyncInterval,
		OnSync:   l.tel.synced,
		OnDamage: l.tel.corrupt,
		OnError: func(err error) {
			l.tel.failed("log")
			l.core.logger.Error("the local log is in trouble", zap.String("signal", l.signal), zap.Error(err))
		},
	}
}

func (l *lane) start() {
	if !l.exports || !l.core.cfg.Replay.Enabled {
		if l.core.cfg.Log.MaxAge == 0 {
			close(l.replayed)
			return
		}
		go l.expireOnly()
		return
	}
	go l.replay()
}

// shutdown ends the attempts, sends their data to the log, and closes it. Three quarters of the time until ctx's
// deadline, which it must have, are the wrapped exporter's; the log is closed however it behaves.
func (l *lane) shutdown(ctx context.Context) error {
	l.calls.close()
	close(l.closing)
	deadline, _ := ctx.Deadline()
	patience, done := context.WithTimeout(ctx, deadline.Sub(l.core.now())*3/4)
	defer done()
	grace := time.AfterFunc(shutdownGrace, l.cutNow)
	defer grace.Stop()
	err := errors.Join(await(patience, l.calls.idle), await(patience, l.replayed))
	l.cutNow()
	if err != nil {
		err = l.abandon()
	}
	return errors.Join(err, l.closeLogs())
}

func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// abandon writes down what the wrapped exporter has and will not answer for, and says so. Its goroutines cannot be
// ended; they find the log closed. A record that replay has sent is in the log still.
func (l *lane) abandon() error {
	batches, items, errs := l.calls.rescue(func(b batch, attempts int) error {
		return l.store(b, reasonShutdown, attempts, nil)
	})
	<-l.calls.idle // bounded by the disk: the others are on their way to the log
	replaying := "no record"
	select {
	case <-l.replayed:
	default:
		replaying = "a record"
	}
	if batches == 0 && replaying == "no record" {
		return nil // it came back in the last moment
	}
	return errors.Join(fmt.Errorf("%w: it was left with %d batches of %s (%d items), %d of which are in the log, and %s of the log",
		errAbandoned, batches, l.signal, items, batches-len(errs), replaying), errors.Join(errs...))
}

func (l *lane) closeLogs() error {
	err := l.log.Close()
	if l.dead != nil {
		err = errors.Join(err, l.dead.Close())
	}
	l.tel.shutdown()
	return err
}

// consume delivers a batch or makes it durable, within the budget. Nil is the promise that one of the two, or an
// explicit drop policy, has happened.
func (l *lane) consume(ctx context.Context, b batch) error {
	c := l.calls.enter(b)
	if c == nil {
		return errShutdown
	}
	defer l.calls.exit(c)
	items := b.items() // walks the batch: once
	l.tel.received(items)
	if !l.exports {
		return l.store(b, reasonLogOnly, 0, nil)
	}
	start := l.core.now()
	limit := deadline(ctx, start, l.core.cfg.Budget)
	interval := l.core.cfg.Retry.InitialInterval
	var cause error
	for attempt := 1; ; attempt++ {
		permit := l.core.breaker.Allow(l.mayProbe())
		if permit == nil {
			return l.store(b, reasonOpen, attempt-1, cause)
		}
		if !c.begin(attempt) {
			permit.Cancel()
			return l.store(b, reasonShutdown, attempt-1, cause)
		}
		cause = l.attempt(ctx, b, limit)
		if rescued, err := c.end(); rescued {
			permit.Cancel()
			return err
		}
		if cause == nil {
			permit.Success()
			l.core.succeeded()
			l.tel.delivered(false, items)
			return nil
		}
		f := failure.Of(cause, consumererror.IsPermanent(cause))
		verdict := l.judge(permit, f, ctx.Err() != nil || l.cut.Err() != nil, true)
		switch {
		case verdict == refused:
			return l.bury(b, reasonRefused, f, attempt, cause)
		case l.stopping():
			return l.store(b, reasonShutdown, attempt, cause)
		case verdict == inconclusive:
			return l.store(b, reasonCanceled, attempt, cause)
		case verdict == systemic:
			return l.store(b, reasonSystemic, attempt, cause)
		case verdict == opaque:
			return l.store(b, reasonOpaque, attempt, cause)
		case attempt == l.core.cfg.Retry.MaxAttempts:
			return l.store(b, reasonAttempts, attempt, cause)
		}
		pause := max(interval, f.RetryAfter)
		if l.core.now().Add(pause).After(limit) {
			return l.store(b, reasonBudget, attempt, cause)
		}
		if reason := l.sleep(ctx, pause); reason != "" {
			return l.store(b, reason, attempt, cause)
		}
		interval = min(time.Duration(float64(interval)*l.core.cfg.Retry.Multiplier), l.core.cfg.Retry.MaxInterval)
	}
}

// deadline is when a caller must have its answer: budget from now, or earlier where the caller's own deadline says so.
// A caller with less than twice the reserve gives half of what it has.
func deadline(ctx context.Context, now time.Time, budget time.Duration) time.Time {
	limit := now.Add(budget)
	if d, ok := ctx.Deadline(); ok {
		if d = d.Add(-min(answerReserve, d.Sub(now)/2)); d.Before(limit) {
			return d
		}
	}
	return limit
}

// mayProbe: with a backlog the replay probes, and live data need not risk its caller's time.
func (l *lane) mayProbe() bool { return !l.core.cfg.Replay.Enabled || l.log.Empty() }

func (l *lane) stopping() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

// sleep waits for the next attempt, or returns why there will be none.
func (l *lane) sleep(ctx context.Context, d time.Duration) (reason string) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ""
	case <-l.core.breaker.Opened():
		return reasonOpen
	case <-l.closing:
		return reasonShutdown
	case <-ctx.Done():
		return reasonCanceled
	}
}

// attempt makes one attempt, bounded by the timeout, the limit, and Shutdown.
func (l *lane) attempt(ctx context.Context, b batch, limit time.Time) error {
	start := l.core.now()
	ctx, done := contextOr(ctx, l.cut, min(l.core.cfg.Timeout, limit.Sub(start)))
	defer done()
	err := b.send(ctx)
	l.tel.exported(l.core.now().Sub(start))
	return err
}

// store appends a batch to the log. What the log has no room for meets log::on_full.
func (l *lane) store(b batch, reason string, attempts int, cause error) error {
	if cause != nil {
		l.core.fellBack(cause)
	}
	line, err := l.encode(b, record.Meta{Reason: reason, Attempts: attempts})
	if err != nil {
		l.tel.rejected(b.items())
		return consumererror.NewPermanent(err)
	}
	err = l.log.Append(line)
	if errors.Is(err, segment.ErrFull) && l.core.cfg.Log.OnFull == OnFullDropOldest {
		err = l.makeRoom(line)
	}
	switch {
	case err == nil:
		l.tel.logged(reason, b.items(), len(line))
		l.core.roomAgain()
		return nil
	case errors.Is(err, segment.ErrFull) && l.core.cfg.Log.OnFull == OnFullDropNewest:
		l.tel.dropped(dropFull, b.items())
		l.core.logger.Warn("the local log is full: new data is dropped", zap.Error(err))
		return nil
	}
	l.tel.failed("log")
	l.tel.rejected(b.items())
	l.core.logger.Error("the local log does not take data: it goes back to the caller", zap.Error(err))
	return fmt.Errorf("neither delivered nor logged: %w", mayRetry(err, cause))
}

// makeRoom appends a line at the cost of the oldest segments, where that can help. One caller at a time: what it frees
// may do for the next.
func (l *lane) makeRoom(line []byte) error {
	l.core.dropping.Lock()
	defer l.core.dropping.Unlock()
	for {
		err := l.log.Append(line)
		if !errors.Is(err, segment.ErrFull) || errors.Is(err, segment.ErrNoRoom) {
			return err
		}
		if dropped, derr := l.core.dropOldest(); !dropped || derr != nil {
			return errors.Join(err, derr)
		}
	}
}

// bury appends a batch that the downstream refuses for good to the dead letter.
func (l *lane) bury(b batch, reason string, f failure.Failure, attempts int, cause error) error {
	if l.dead == nil {
		l.tel.rejected(b.items())
		return cause
	}
	if err := l.appendDead(b, reason, f, attempts); err != nil {
		l.tel.rejected(b.items())
		return fmt.Errorf("refused, and the dead letter does not take it: %w", mayRetry(err, cause))
	}
	return nil
}

func (l *lane) appendDead(b batch, reason string, f failure.Failure, attempts int) error {
	line, err := l.encode(b, record.Meta{Reason: reason, Code: code(f), Attempts: attempts})
	if err != nil {
		return err
	}
	if err := l.dead.Append(line); err != nil {
		l.tel.failed("dead_letter")
		l.core.logger.Error("the dead letter does not take data", zap.Error(err))
		return err
	}
	l.tel.buried(code(f), b.items())
	return nil
}

// code is what the dead letter and its metric say of a failure.
func code(f failure.Failure) string {
	if f.Code != "" {
		return f.Code
	}
	return string(f.Class)
}

func (l *lane) encode(b batch, m record.Meta) ([]byte, error) {
	payload, err := b.json()
	if err != nil {
		return nil, fmt.Errorf("encode for the log: %w", err)
	}
	m.Time, m.Signal, m.Items = l.core.now().UTC(), l.signal, b.items()
	return record.Append(make([]byte, 0, len(payload)+256), payload, m)
}

// dropOldest drops this lane's oldest segment and counts what was in it.
func (l *lane) dropOldest() (bool, error) {
	items := 0
	dropped, err := l.log.DropOldest(func(line []byte) {
		if m, err := record.Parse(line); err == nil {
			items += m.Items
		}
	})
	if dropped {
		l.tel.dropped(dropFull, items)
		l.core.logger.Warn("the local log is full: its oldest segment is dropped", zap.String("signal", l.signal))
	}
	return dropped, err
}

// mayRetry is err with the cause told as text: the cause may be permanent, which is not the answer to the caller.
func mayRetry(err, cause error) error {
	if cause == nil {
		return err
	}
	return errors.Join(err, errors.New(cause.Error()))
}
