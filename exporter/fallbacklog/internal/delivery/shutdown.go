package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// leastWait is how long Shutdown waits for the disk where it has no time left.
const leastWait = 100 * time.Millisecond

// shutdownGrace is how long attempts in flight may still finish at Shutdown before they are cancelled.
const shutdownGrace = time.Second

// Shutdown ends the attempts, sends their data to the log, and closes it. Three quarters of the time until ctx's
// deadline, which it must have, are the wrapped exporter's; the log is closed however it behaves.
func (l *Lane) Shutdown(ctx context.Context) error {
	l.Drain()
	l.calls.close()
	deadline, _ := ctx.Deadline()
	patience, done := context.WithTimeout(ctx, deadline.Sub(l.group.set.Now())*3/4)
	defer done()
	defer l.grace.Stop()
	err := errors.Join(await(patience, l.calls.idle), await(patience, l.replayed))
	l.cutNow()
	if err != nil {
		err = l.abandon(ctx)
	}
	l.group.detach(l)
	return errors.Join(err, l.closeLogs())
}

// Drain starts the shutdown. Batches are accepted until Shutdown is called, but go to the log without further attempts.
// It may be called more than once.
func (l *Lane) Drain() {
	l.draining.Do(func() {
		close(l.closing)
		l.grace = time.AfterFunc(shutdownGrace, l.cutNow)
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

// abandon writes down what the wrapped exporter has and will not answer for, and says so. Its goroutines cannot be
// ended; they find the log closed. A record that replay has sent is in the log still.
func (l *Lane) abandon(ctx context.Context) error {
	close(l.deserted)
	deadline, _ := ctx.Deadline()
	now := l.group.set.Now()
	half := now.Add(max(leastWait, deadline.Sub(now)/2)) // the rest is for closing the logs
	batches, items, errs := l.calls.rescue(func(b Batch, attempts int) error {
		return l.store(b, disposition{reason: ReasonShutdown, attempts: attempts}, half)
	})
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), half.Sub(l.group.set.Now()))
	defer done()
	// The others are on their way to the log, unless the disk hangs.
	if err := errors.Join(await(ctx, l.calls.idle), await(ctx, l.replayed)); err != nil {
		return fmt.Errorf("%w, and batches of %s wait for it", segment.ErrStalled, l.opt.Signal)
	}
	if batches == 0 && l.left == 0 {
		return nil // nothing was out, or it came back in the last moment
	}
	return errors.Join(fmt.Errorf("%w: it was left with %d batches of %s (%d items), %d of which are in the log, and %d records of the log",
		ErrAbandoned, batches, l.opt.Signal, items, batches-len(errs), l.left), errors.Join(errs...))
}

func (l *Lane) closeLogs() error {
	err := l.opt.Log.Close()
	if l.opt.DeadLetter != nil {
		err = errors.Join(err, l.opt.DeadLetter.Close())
	}
	return err
}
