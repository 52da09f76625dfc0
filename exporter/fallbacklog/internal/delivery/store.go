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

// store appends a batch to the log before limit. If the log has no room log::on_full decides.
func (l *Lane) store(b Batch, d disposition, limit time.Time) (err error) {
	if l.group.opt.Exports {
		l.group.beginLogging(d)
		defer func() { l.group.endLogging(err == nil) }()
	}
	rec, err := l.encode(b, record.Meta{Reason: string(d.reason), Attempts: d.attempts})
	if err != nil {
		l.opt.Observer.Rejected(b.Items())
		return err
	}
	err = l.opt.Log.AppendBefore(rec, limit)
	if errors.Is(err, segment.ErrFull) && l.group.opt.OnFull == DropOldest {
		// The oldest segments make room, if that can help.
		err = l.group.dropper.Append(limit.Sub(l.group.opt.Now()),
			func() error { return l.opt.Log.AppendBefore(rec, limit) }, l.group.dropOldest)
	}
	l.appended(health.Appending, rec, err)
	switch {
	case err == nil:
		l.opt.Observer.Logged(d.reason, b.Items(), len(rec))
		return nil
	case errors.Is(err, segment.ErrFull) && l.group.opt.OnFull == DropNewest:
		l.opt.Observer.Dropped(DroppedFull, b.Items())
		l.opt.Observer.Warn(failure.Log, "the local log is full: new data is dropped", err)
		return nil
	}
	return l.giveBack(b, err)
}

// giveBack returns the answer to a caller whose batch could not be logged.
func (l *Lane) giveBack(b Batch, err error) error {
	l.opt.Observer.Failed(failure.Log)
	l.opt.Observer.Rejected(b.Items())
	l.opt.Observer.Error(failure.Log, "the local log accepts no data: the batch goes back to the caller", err)
	return &callerError{"neither delivered nor logged", err}
}

// appendLimit returns when an append that begins now must have ended. An append has a budget of its own. The caller's deadline
// also limits it, unless that is over: then the caller no longer waits.
func (l *Lane) appendLimit(ctx context.Context) time.Time {
	now := l.group.opt.Now()
	limit := now.Add(l.group.opt.Budget)
	if d, ok := ctx.Deadline(); ok && d.After(now) && d.Before(limit) {
		return d
	}
	return limit
}

// moveToDeadLetter appends a batch that the downstream refused for good to the dead letter before limit.
func (l *Lane) moveToDeadLetter(b Batch, d disposition, limit time.Time) error {
	if l.opt.DeadLetter == nil {
		l.opt.Observer.Rejected(b.Items())
		return d.cause
	}
	if err := l.appendToDeadLetter(b, d, limit); err != nil {
		l.opt.Observer.Rejected(b.Items())
		return &callerError{"refused, and the dead letter does not accept it", err}
	}
	return nil
}

func (l *Lane) appendToDeadLetter(b Batch, d disposition, limit time.Time) error {
	rec, err := l.encode(b, record.Meta{Reason: string(d.reason), Code: code(d.failure), Message: message(d.cause), Attempts: d.attempts})
	if err != nil {
		return err
	}
	err = l.opt.DeadLetter.AppendBefore(rec, limit)
	l.appended(health.DeadLettering, rec, err)
	if err != nil {
		l.opt.Observer.Failed(failure.DeadLetter)
		l.opt.Observer.Error(failure.DeadLetter, "the dead letter accepts no data", err)
		return err
	}
	l.opt.Observer.DeadLettered(d.reason, b.Items(), d.cause)
	return nil
}

// copyToDeadLetter appends a record unchanged to the dead letter.
func (l *Lane) copyToDeadLetter(rec []byte) error {
	rec, err := l.opt.Reader.Copy(l.opt.Codec, rec)
	if err != nil {
		return err
	}
	err = l.opt.DeadLetter.AppendBefore(rec, l.appendLimit(context.Background()))
	l.appended(health.DeadLettering, rec, err)
	return err
}

// code returns the code that the dead letter and its metric show for a failure.
func code(f failure.Failure) string {
	if f.Code != "" {
		return f.Code
	}
	return string(f.Class)
}

// message returns the text that the dead letter keeps of a cause.
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
	m.Time, m.Signal, m.Items, m.Metadata = l.group.opt.Now().UTC(), l.opt.Signal, b.Items(), b.Metadata()
	return l.opt.Codec.Append(make([]byte, 0, len(payload)+256), payload, m)
}

// dropOldest drops this lane's oldest segment and counts the items in it. Records that replay is sending count by their outcome
// instead.
func (l *Lane) dropOldest() (bool, error) {
	items := 0
	dropped, inMemory, err := l.window.drop(l.opt.Log, func(rec []byte) {
		if m, err := l.opt.Reader.Parse(rec); err == nil {
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

// countDropped counts records whose segment was dropped. Their delivered parts count as delivered.
func (l *Lane) countDropped(records []*pending) {
	for _, p := range records {
		l.opt.Observer.Dropped(DroppedFull, l.countParts(p))
	}
}

// countParts counts the delivered parts of a record as delivered, and returns the number of the other items.
func (l *Lane) countParts(p *pending) (others int) {
	if p.parts.accepted > 0 {
		l.deliveredReplayed(p.parts.accepted, p.parts.refusedItems)
	}
	if p.parts.late > 0 {
		l.opt.Observer.Late(p.parts.late)
	}
	return p.items - p.parts.accepted
}

// appended records the outcome of an append. The refusal of a record that is too large says nothing about other records.
func (l *Lane) appended(t health.Trouble, rec []byte, err error) {
	if errors.Is(err, segment.ErrTooLarge) {
		return
	}
	if err != nil {
		l.refusedBytes(t).Store(int64(len(rec)))
	}
	l.setTrouble(t, err)
}

// refusedBytes returns where the size of the last refused record is kept.
func (l *Lane) refusedBytes(t health.Trouble) *atomic.Int64 {
	if t == health.DeadLettering {
		return &l.refusedByDeadLetter
	}
	return &l.refusedByLog
}

// maintain repeats what the disk has refused to the lane's logs, and checks whether logs that have refused data accept it now.
func (l *Lane) maintain() {
	err := l.opt.Log.Maintain()
	l.recheck(health.Appending, l.opt.Log)
	if l.opt.DeadLetter != nil {
		err = errors.Join(err, l.opt.DeadLetter.Maintain())
		l.recheck(health.DeadLettering, l.opt.DeadLetter)
	}
	l.setTrouble(health.Shrinking, err)
	if err != nil {
		l.opt.Observer.Failed(failure.Log)
		l.opt.Observer.Error(failure.Log, "the local log cannot repeat an operation that the disk has refused", err)
	}
}

// recheck ends a trouble if the log would now accept the record that it has refused.
func (l *Lane) recheck(t health.Trouble, log RecordWriter) {
	if l.group.health.Has(l.opt.Signal, t) && log.CheckAppend(l.refusedBytes(t).Load()) == nil {
		l.setTrouble(t, nil)
	}
}
