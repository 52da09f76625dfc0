package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// leastWait is how long Shutdown waits for the disk if no time is left.
const leastWait = 100 * time.Millisecond

// shutdownGrace is how long attempts in flight may still finish at Shutdown before they are cancelled.
const shutdownGrace = time.Second

// Shutdown ends the attempts, logs their data and closes the logs. ctx must have a deadline. The wrapped exporter has three
// quarters of the time until then. The logs are closed whatever the wrapped exporter does.
func (l *Lane) Shutdown(ctx context.Context) error {
	l.BeginShutdown()
	l.calls.close()
	deadline, _ := ctx.Deadline()
	maxWait, done := context.WithTimeout(ctx, deadline.Sub(l.group.opt.Now())*3/4)
	defer done()
	defer l.graceTimer.Stop()
	err := errors.Join(await(maxWait, l.calls.idle), await(maxWait, l.replayed))
	l.cancelAttempts()
	if err != nil {
		err = l.abandon(ctx)
	}
	l.group.detach(l)
	return errors.Join(err, l.closeLogs())
}

// BeginShutdown starts the shutdown. Batches are still accepted until Shutdown is called, but go to the log without further
// attempts. BeginShutdown may be called more than once.
func (l *Lane) BeginShutdown() {
	l.shutdownBegun.Do(func() {
		close(l.closing)
		l.graceTimer = time.AfterFunc(shutdownGrace, l.cancelAttempts)
	})
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

// abandon logs the batches that the wrapped exporter has and does not return, and returns an error that counts them. The
// goroutines of these attempts cannot be ended; when they return they find the log closed. The log still has the records that
// replay has sent.
func (l *Lane) abandon(ctx context.Context) error {
	close(l.abandoned)
	deadline, _ := ctx.Deadline()
	now := l.group.opt.Now()
	half := now.Add(max(leastWait, deadline.Sub(now)/2)) // the other half is for closing the logs
	batches, items, errs := l.calls.logUnreturned(func(b Batch, attempts int) error {
		return l.store(b, disposition{reason: ReasonShutdown, attempts: attempts}, half)
	})
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), half.Sub(l.group.opt.Now()))
	defer done()
	// The other batches are being logged, unless the disk hangs.
	if err := errors.Join(await(ctx, l.calls.idle), await(ctx, l.replayed)); err != nil {
		return fmt.Errorf("%w, and batches of %s wait for it", segment.ErrStalled, l.opt.Signal)
	}
	if batches == 0 && l.abandonedRecords == 0 {
		return nil // no batch was abandoned, or it came back at the last moment
	}
	return errors.Join(fmt.Errorf("%w: it was left with %d batches of %s (%d items), %d of them in the log, and %d records of the log",
		ErrAbandoned, batches, l.opt.Signal, items, batches-len(errs), l.abandonedRecords), errors.Join(errs...))
}

func (l *Lane) closeLogs() error {
	err := l.opt.Log.Close()
	if l.opt.DeadLetter != nil {
		err = errors.Join(err, l.opt.DeadLetter.Close())
	}
	return err
}
