package delivery

import (
	"errors"
	"fmt"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// store appends a batch to the log. What the log has no room for meets log::on_full.
func (l *Lane) store(b Batch, reason string, attempts int, cause error) (err error) {
	if l.group.set.Exports {
		why := cause
		if why == nil {
			why = fmt.Errorf("%w: %s", errNotTried, reason)
		}
		l.group.fallsBack(why)
		defer func() { l.group.fellBack(err == nil) }()
	}
	line, err := l.encode(b, record.Meta{Reason: reason, Attempts: attempts})
	if err != nil {
		l.opt.Observer.Rejected(b.Items())
		return err
	}
	err = l.opt.Log.Append(line)
	if errors.Is(err, segment.ErrFull) && l.group.set.OnFull == DropOldest {
		err = l.makeRoom(line)
	}
	l.condition.appended(appending, line, err)
	switch {
	case err == nil:
		l.opt.Observer.Logged(reason, b.Items(), len(line))
		return nil
	case errors.Is(err, segment.ErrFull) && l.group.set.OnFull == DropNewest:
		l.opt.Observer.Dropped(droppedFull, b.Items())
		l.opt.Observer.Warn(failure.Log, "the local log is full: new data is dropped", err)
		return nil
	}
	l.opt.Observer.Failed(failure.Log)
	l.opt.Observer.Rejected(b.Items())
	l.opt.Observer.Error(failure.Log, "the local log does not take data: it goes back to the caller", err)
	return fmt.Errorf("neither delivered nor logged: %w", mayRetry(err, cause))
}

// makeRoom appends a line at the cost of the oldest segments, where that can help. One caller at a time: what it frees
// may do for the next.
func (l *Lane) makeRoom(line []byte) error {
	l.group.dropping.Lock()
	defer l.group.dropping.Unlock()
	for {
		err := l.opt.Log.Append(line)
		if !errors.Is(err, segment.ErrFull) || errors.Is(err, segment.ErrNoRoom) {
			return err
		}
		if dropped, derr := l.group.dropOldest(); !dropped || derr != nil {
			return errors.Join(err, derr)
		}
	}
}

// bury appends a batch that the downstream refuses for good to the dead letter.
func (l *Lane) bury(b Batch, reason string, f failure.Failure, attempts int, cause error) error {
	if l.opt.DeadLetter == nil {
		l.opt.Observer.Rejected(b.Items())
		return cause
	}
	if err := l.appendDead(b, reason, f, attempts, cause); err != nil {
		l.opt.Observer.Rejected(b.Items())
		return fmt.Errorf("refused, and the dead letter does not take it: %w", mayRetry(err, cause))
	}
	return nil
}

func (l *Lane) appendDead(b Batch, reason string, f failure.Failure, attempts int, cause error) error {
	line, err := l.encode(b, record.Meta{Reason: reason, Code: code(f), Message: message(cause), Attempts: attempts})
	if err != nil {
		return err
	}
	err = l.opt.DeadLetter.Append(line)
	l.condition.appended(burying, line, err)
	if err != nil {
		l.opt.Observer.Failed(failure.DeadLetter)
		l.opt.Observer.Error(failure.DeadLetter, "the dead letter does not take data", err)
		return err
	}
	l.opt.Observer.Buried(code(f), b.Items())
	l.opt.Observer.Warn(f.Class, "a batch went to the dead letter: "+reason, cause)
	return nil
}

// copyToDead appends a record to the dead letter as it is.
func (l *Lane) copyToDead(line []byte) error {
	line, err := l.opt.Reader.Copy(l.opt.Codec, line)
	if err != nil {
		return err
	}
	err = l.opt.DeadLetter.Append(line)
	l.condition.appended(burying, line, err)
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

// dropOldest drops this lane's oldest segment and counts what was in it, but for the records that replay has out: their
// outcome counts.
func (l *Lane) dropOldest() (bool, error) {
	items := 0
	dropped, inMemory, err := l.window.drop(l.opt.Log, func(line []byte) {
		if m, err := l.opt.Reader.Parse(line); err == nil {
			items += m.Items
		}
	})
	if dropped {
		l.opt.Observer.Dropped(droppedFull, items+inMemory)
		l.opt.Observer.Warn(failure.Log, "the local log is full: its oldest segment is dropped", nil)
	}
	return dropped, err
}

// tend is Log.Tend for the lane's logs, and asks those that have refused data whether they still would.
func (l *Lane) tend() {
	err := l.opt.Log.Tend()
	l.condition.retry(appending, l.opt.Log)
	if l.opt.DeadLetter != nil {
		err = errors.Join(err, l.opt.DeadLetter.Tend())
		l.condition.retry(burying, l.opt.DeadLetter)
	}
	l.condition.set(tending, err)
	if err != nil {
		l.opt.Observer.Failed(failure.Log)
		l.opt.Observer.Error(failure.Log, "the local log cannot make up for an earlier failure of the disk", err)
	}
}

// mayRetry is err with the cause told as text: the cause may be permanent, which is not the answer to the caller.
func mayRetry(err, cause error) error {
	if cause == nil {
		return err
	}
	return errors.Join(err, errors.New(cause.Error()))
}
