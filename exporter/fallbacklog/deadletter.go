package fallbacklog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"
)

// deadLetterDir is the name of the dead letter's directory in the signal's directory.
const deadLetterDir = "dead-letter"

// errNoDeadLetter means that the gateway cannot serve a request.
var errNoDeadLetter = errors.New("no pipeline of this gateway has a dead letter for the signal")

// reasonRequeued is the reason in logged_items for records that moved from the dead letter. The record keeps its own.
const reasonRequeued = "requeued"

// droppedByDeadLetter is the reason of items that a full dead letter dropped.
const droppedByDeadLetter = "dead_letter_full"

// rotatingDeadLetter is a dead letter that drops its oldest segments to make room.
type rotatingDeadLetter struct {
	*segment.Log
	reader  record.Reader
	dropped func(items int)

	now     func() time.Time
	dropper *segment.Dropper
}

var _ delivery.RecordWriter = (*rotatingDeadLetter)(nil)

// AppendBefore is segment.Log.AppendBefore. It drops the oldest segments while that makes room.
func (d *rotatingDeadLetter) AppendBefore(rec []byte, limit time.Time) error {
	tryAppend := func() error { return d.Log.AppendBefore(rec, limit) }
	if err := tryAppend(); !errors.Is(err, segment.ErrFull) {
		return err
	}
	return d.dropper.Append(limit.Sub(d.now()), tryAppend, func() (bool, error) {
		items := 0
		made, err := d.DropOldest(func(r []byte) {
			if m, err := d.reader.Parse(r); err == nil {
				items += m.Items
			}
		})
		if made {
			d.dropped(items)
		}
		return made, err
	})
}

// deadLetterServer serves the requests of the command about dead letters, since no other process may write beside a gateway.
// Nothing else in the gateway reads the dead letters.
type deadLetterServer struct {
	core *core

	mu    sync.Mutex
	lanes map[string]*lane // by signal
}

func (s *deadLetterServer) attach(signal string, l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lanes[signal] = l
}

// logDeadLettered logs the records that went to dead letters since the last line, if a line is due.
func (s *deadLetterServer) logDeadLettered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		l.tel.logDeadLettered(l.tel.deadLetterLines.due(s.core.now()))
	}
}

func (s *deadLetterServer) detach(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for signal, other := range s.lanes {
		if other == l {
			delete(s.lanes, signal)
		}
	}
}

// serve serves the waiting request, if there is one, until ctx ends.
func (s *deadLetterServer) serve(ctx context.Context) {
	c := s.core
	r, ok, err := logtool.Pending(c.fs, c.root)
	if !ok && err == nil {
		return
	}
	answer := logtool.Response{ID: r.ID}
	if err == nil {
		answer.Done, err = s.apply(ctx, r)
	}
	if err != nil {
		answer.Error = err.Error()
	}
	if ctx.Err() != nil {
		return // the next start finishes the request
	}
	c.logger.Info("a request about the dead letter is done", zap.String("command", r.Command), zap.Any("done", answer.Done), zap.Error(err))
	if err := logtool.Reply(c.fs, c.root, answer); err != nil {
		c.logger.Error("the answer to a request about the dead letter cannot be written",
			zap.String(errorType, string(failure.DeadLetter)), zap.Error(err), zap.String("directory", c.root))
	}
}

func (s *deadLetterServer) apply(ctx context.Context, r logtool.Request) (all []logtool.DeadLetterResult, err error) {
	c := s.core
	if err := c.owner.err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	lanes := make(map[string]*lane, len(s.lanes))
	for signal, l := range s.lanes {
		lanes[signal] = l
	}
	s.mu.Unlock()
	for _, signal := range logtool.Signals {
		if !slices.Contains(r.Signals, signal) {
			continue
		}
		l := lanes[signal]
		if l == nil || l.deadLetter == nil {
			return all, fmt.Errorf("%w: %s", errNoDeadLetter, signal)
		}
		done, err := r.Apply(ctx, signal, c.reader, c.codec, l.deadLetter, l.log, func(m record.Meta, size int) {
			l.tel.Logged(reasonRequeued, m.Items, size)
		})
		all = append(all, done)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}
