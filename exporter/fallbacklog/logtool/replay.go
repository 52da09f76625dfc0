package logtool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

// ReplayOptions configure a replay.
type ReplayOptions struct {
	// PerSecond bounds the requests per second; 0: no limit.
	PerSecond float64
	// Timeout bounds one attempt.
	Timeout time.Duration
	// Attempts bounds the attempts for one record. The first pause between them is Pause. It doubles up to 30 s.
	Attempts int
	Pause    time.Duration
	Progress Progress
}

// Replayed is what Replay sent from one log.
type Replayed struct {
	Log
	Records      int   `json:"records"`
	Items        int   `json:"items"`
	RefusedItems int64 `json:"rejected_items"` // items that servers refused in requests that they accepted
	Damaged      int64 `json:"damaged_bytes"`  // skipped bytes that were no records or were changed after encryption
	Message      string
	// Next is the position of the first record that was not sent, where the next replay continues.
	Next segment.Position `json:"next"`
}

// maxPause bounds the pause between attempts.
const maxPause = 30 * time.Second

// Replay sends the records of logs that are not done, one request at a time, oldest first. It stops at the first record that
// the target does not accept. The next call continues with that record.
func Replay(ctx context.Context, logs []Log, target *Target, opt ReplayOptions) ([]Replayed, error) {
	views, m, err := recordViews(logs, opt.Progress)
	if err != nil {
		return nil, err
	}
	for _, v := range views {
		for _, s := range v.Segments {
			m.total -= s.Size - s.Unread
		}
	}
	limit := rate.Limit(opt.PerSecond)
	if opt.PerSecond == 0 {
		limit = rate.Inf
	}
	r := replay{opt: opt, target: target, limiter: rate.NewLimiter(limit, 1), meter: m}
	var all []Replayed
	for i, l := range logs {
		done := Replayed{Log: l, Next: views[i].Cursor}
		err = r.replay(ctx, l, &done)
		all = append(all, done)
		if err != nil {
			return all, fmt.Errorf("%s: %w", l, err)
		}
	}
	return all, nil
}

type replay struct {
	opt     ReplayOptions
	target  *Target
	limiter *rate.Limiter
	meter   *meter
}

// replay replays a log and marks the accepted records as done.
func (r replay) replay(ctx context.Context, l Log, done *Replayed) (err error) {
	lock, err := l.lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	o, err := l.open()
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, o.Close()) // saves the cursor
		done.Damaged += o.damaged
	}()
	for {
		e, ok, err := o.Next()
		if err = errors.Join(err, o.unreported); err != nil || !ok {
			return err
		}
		done.Next = e.Start
		err = r.send(ctx, e.Record, done)
		if errors.Is(err, record.ErrDamaged) {
			done.Damaged += e.End.Offset - e.Start.Offset
			err = nil
		}
		if err != nil {
			return err
		}
		done.Next = e.End
		if err := o.Done(e); err != nil {
			return err
		}
		r.meter.add(e.End.Offset - e.Start.Offset)
	}
}

// send sends one record in at most Attempts attempts.
func (r replay) send(ctx context.Context, line []byte, done *Replayed) error {
	meta, err := done.reader.Parse(line)
	if err != nil {
		return err
	}
	req, err := done.newRequest(line)
	if err != nil {
		return err
	}
	pause := r.opt.Pause
	for attempt := 1; ; attempt++ {
		if err := r.limiter.Wait(ctx); err != nil {
			return ctx.Err()
		}
		a, err := r.attempt(ctx, req)
		if err == nil {
			done.Records++
			done.Items += meta.Items
			if a.refusedItems > 0 {
				done.RefusedItems += a.refusedItems
				done.Message = a.message
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if refused(err) || attempt >= r.opt.Attempts {
			return fmt.Errorf("after %d attempts: %w", attempt, err)
		}
		if wait.For(ctx.Done(), pause) {
			return ctx.Err()
		}
		pause = min(2*pause, maxPause)
	}
}

func (r replay) attempt(ctx context.Context, req otlpRequest) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	defer cancel()
	return r.target.send(ctx, req)
}
