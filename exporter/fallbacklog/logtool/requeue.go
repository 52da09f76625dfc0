package logtool

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// Requeued is what Requeue did to a dead letter.
type Requeued struct {
	Log
	Records int `json:"records"`
	Items   int `json:"items"`             // but for those in Locked
	Locked  int `json:"encrypted_records"` // of them, without their key: they are moved as they are
}

// Requeue moves what dead letters hold to the end of their signals' logs, where the next start replays it. A record is
// durable in the log before it leaves the dead letter: an interruption may leave one in both.
func Requeue(ctx context.Context, logs []Log, tell Progress) ([]Requeued, error) {
	_, m, err := looks(logs, tell)
	if err != nil {
		return nil, err
	}
	var all []Requeued
	for _, l := range logs {
		if !l.DeadLetter {
			continue
		}
		done, err := l.requeue(ctx, m)
		all = append(all, done)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (l Log) requeue(ctx context.Context, m *meter) (done Requeued, err error) {
	done.Log = l
	lock, err := l.lock()
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	from, err := l.open()
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := l.signalLog().open()
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		e, ok, err := from.Next()
		if err = errors.Join(err, from.trouble, to.trouble); err != nil || !ok {
			return done, err
		}
		meta, err := l.reader.Parse(e.Record)
		switch {
		case errors.Is(err, ErrKey):
			done.Locked++
		case errors.Is(err, record.ErrDamaged): // not as it was encrypted: replay will bring it back, and it stops no other
		case err != nil:
			return done, err
		}
		if err := to.append(e.Record); err != nil {
			return done, err
		}
		if err := from.Done(e); err != nil {
			return done, err
		}
		done.Records++
		done.Items += meta.Items
		m.add(e.End.Offset - e.Start.Offset)
	}
}

// signalLog is the log that a dead letter belongs to.
func (l Log) signalLog() Log {
	return Log{Component: l.Component, Signal: l.Signal, root: l.root, dir: filepath.Dir(l.dir)}
}
