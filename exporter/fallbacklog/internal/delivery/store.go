package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/health"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// store appends a batch to the log before a time. What the log has no room for meets log::on_full.
func (l *Lane) store(b Batch, d disposition, limit time.Time) (err error) {
	if l.group.set.Exports {
		l.group.fallsBack(d)
		defer func() { l.group.fellBack(err == nil) }()
	}
	line, err := l.encode(b, record.Meta{Reason: string(d.reason), Attempts: d.attempts})
	if err != nil {
		l.opt.Observer.Rejected(b.Items())
		return err
	}
	err = l.opt.Log.AppendBefore(line, limit)
	if errors.Is(err, segment.ErrFull) && l.group.set.OnFull == DropOldest {
		// At the cost of the oldest segments, where that can help.
		err = l.group.room.Append(limit.Sub(l.group.set.Now()),
			func() error { return l.opt.Log.AppendBefore(line, limit) }, l.group.dropOldest)
	}
	l.appended(health.Appending, line, err)
	switch {
	case err == nil:
		l.opt.Observer.Logged(d.reason, b.Items(), len(line))
		return nil
	case errors.Is(err, segment.ErrFull) && l.group.set.OnFull == DropNewest:
		l.opt.Observer.Dropped(DroppedFull, b.Items())
		l.opt.Observer.Warn(failure.Log, "the local log is full: new data is dropped", err)
		return nil
	}
	return l.giveBack(b, err)
}

// giveBack is the answer to a caller whose batch could not be logged.
func (l *Lane) giveBack(b Batch, err error) error {
	l.opt.Observer.Failed(failure.Log)
	l.opt.Observer.Rejected(b.Items())
	l.opt.Observer.Error(failure.Log, "the local log does not take data: it goes back to the caller", err)
	return &callerError{"neither delivered nor logged", err}
}

// appendLimit is when an append that begins now must have ended: the budget is its own, and the caller's deadline counts
// where it is not over. A caller that is not there any more waits for nothing.
func (l *Lane) appendLimit(ctx context.Context) time.Time {
	now := l.group.set.Now()
	limit := now.Add(l.group.set.Budget)
	if d, ok := ctx.Deadline(); ok && d.After(now) && d.Before(limit) {
		return d
	}
	return limit
}

// bury appends a batch that the downstream refuses for good to the dead letter before a time.
func (l *Lane) bury(b Batch, d disposition, limit time.Time) error {
	if l.opt.DeadLetter == nil {
		l.opt.Observer.Rejected(b.Items())
		return d.cause
	}
	if err := l.appendDead(b, d, limit); err != nil {
		l.opt.Observer.Rejected(b.Items())
		return &callerError{"refused, and the dead letter does not take it", err}
	}
	return nil
}

func (l *Lane) appendDead(b Batch, d disposition, limit time.Time) error {
	line, err := l.encode(b, record.Meta{Reason: string(d.reason), Code: code(d.failure), Message: message(d.cause), Attempts: d.attempts})
	if err != nil {
		return err
	}
	err = l.opt.DeadLetter.AppendBefore(line, limit)
	l.appended(health.Burying, line, err)
	if err != nil {
		l.opt.Observer.Failed(failure.DeadLetter)
		l.opt.Observer.Error(failure.DeadLetter, "the dead letter does not take data", err)
		return err
	}
	l.opt.Observer.Buried(d.reason, b.Items(), d.cause)
	return nil
}

// copyToDead appends a record to the dead letter as it is.
func (l *Lane) copyToDead(line []byte) error {
	line, err := l.opt.Reader.Copy(l.opt.Codec, line)
	if err != nil {
		return err
	}
	err = l.opt.DeadLetter.AppendBefore(line, l.appendLimit(context.Background()))
	l.appended(health.Burying, line, err)
	return err
}

// code is what the dead letter and its metric say of a failure.
func code(f failure.Failure) string {
	if f.Code != "" {
		return f.Code
	}
	return string(f.Class)
}

// message is what the dead letter keeps of a cause.
func message(cause error) string {
	if cause == nil {
		return ""
	}
	return record.Message(cause.Error())
}

func (l *Lane) encode(b Batch, m record.Meta) ([]byte, error) {
	payload, err := b.Payload()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncode, err)
	}
	m.Time, m.Signal, m.Items, m.Metadata = l.group.set.Now().UTC(), l.opt.Signal, b.Items(), b.Metadata()
	return l.opt.Codec.Append(make([]byte, 0, len(payload)+256), payload, m)
}

// dropOldest drops this lane's oldest segment and counts what was in it. Records that replay is sending count by their
// outcome instead.
func (l *Lane) dropOldest() (bool, error) {
	items := 0
	dropped, inMemory, err := l.window.drop(l.opt.Log, func(line []byte) {
		if m, err := l.opt.Reader.Parse(line); err == nil {
			items += m.Items
		}
	})
	if dropped {
		l.opt.Observer.Dropped(DroppedFull, items)
		l.countDropped(inMemory)
		l.opt.Observer.Warn(failure.Log, "the local log is full: its oldest segment is dropped", nil)
	}
	return dropped, err
}

// countDropped counts records whose segment was dropped. What the downstream has of them is delivered.
func (l *Lane) countDropped(records []*pending) {
	for _, p := range records {
		l.opt.Observer.Dropped(DroppedFull, l.countParts(p))
	}
}

// countParts counts the parts of a record that the downstream has as delivered, and returns the number of the other items.
func (l *Lane) countParts(p *pending) (others int) {
	if p.parts.taken > 0 {
		l.delivered(true, p.parts.taken, p.parts.rejected)
	}
	if p.parts.late > 0 {
		l.opt.Observer.Late(p.parts.late)
	}
	return p.items - p.parts.taken
}

// appended notes how an append has ended. A record that is too large says nothing about others.
func (l *Lane) appended(t health.Trouble, line []byte, err error) {
	if errors.Is(err, segment.ErrTooLarge) {
		return
	}
	if err != nil {
		l.refusedBytes(t).Store(int64(len(line)))
	}
	l.trouble(t, err)
}

// refusedBytes is where the size of a refused record is kept.
func (l *Lane) refusedBytes(t health.Trouble) *atomic.Int64 {
	if t == health.Burying {
		return &l.unburied
	}
	return &l.unlogged
}

// tend is Log.Tend for the lane's logs, and asks those that have refused data whether they still would.
func (l *Lane) tend() {
	err := l.opt.Log.Tend()
	l.askAgain(health.Appending, l.opt.Log)
	if l.opt.DeadLetter != nil {
		err = errors.Join(err, l.opt.DeadLetter.Tend())
		l.askAgain(health.Burying, l.opt.DeadLetter)
	}
	l.trouble(health.Tending, err)
	if err != nil {
		l.opt.Observer.Failed(failure.Log)
		l.opt.Observer.Error(failure.Log, "the local log cannot make up for an earlier failure of the disk", err)
	}
}

// askAgain asks a log whether it would accept by now what it has refused.
func (l *Lane) askAgain(t health.Trouble, log Log) {
	if l.group.health.Has(l.opt.Signal, t) && log.Try(l.refusedBytes(t).Load()) == nil {
		l.trouble(t, nil)
	}
}
