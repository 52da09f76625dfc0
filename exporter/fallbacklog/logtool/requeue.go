package logtool

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// Requeue moves the chosen records of dead letters to the end of their signals' logs, which the next start replays. A record is
// durable in the log before it leaves the dead letter, so an interruption may leave it in both.
func Requeue(ctx context.Context, logs []Log, f Filter, progress Progress) ([]DeadLetterResult, error) {
	return applyAll(ctx, logs, f, progress, Log.requeue)
}

// Discard deletes the chosen records of dead letters.
func Discard(ctx context.Context, logs []Log, f Filter, progress Progress) ([]DeadLetterResult, error) {
	return applyAll(ctx, logs, f, progress, Log.discard)
}

func applyAll(ctx context.Context, logs []Log, f Filter, progress Progress,
	one func(Log, context.Context, Filter, *meter) (DeadLetterResult, error),
) ([]DeadLetterResult, error) {
	_, m, err := recordViews(logs, progress)
	if err != nil {
		return nil, err
	}
	var all []DeadLetterResult
	for _, l := range logs {
		if !l.DeadLetter {
			continue
		}
		done, err := one(l, ctx, f, m)
		all = append(all, done)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (l Log) requeue(ctx context.Context, f Filter, m *meter) (done DeadLetterResult, err error) {
	return l.apply(ctx, f, m, func(to *writableLog) func([]byte, record.Meta) error {
		return func(rec []byte, _ record.Meta) error { return errors.Join(to.append(rec), to.unreported) }
	})
}

func (l Log) discard(ctx context.Context, f Filter, m *meter) (done DeadLetterResult, err error) {
	return l.apply(ctx, f, m, func(*writableLog) func([]byte, record.Meta) error {
		return func([]byte, record.Meta) error { return nil }
	})
}

// apply opens the dead letter and its signal's log for writing and lets act act on the chosen records.
func (l Log) apply(ctx context.Context, f Filter, m *meter, act func(to *writableLog) func([]byte, record.Meta) error) (done DeadLetterResult, err error) {
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
	s := selector{
		log: l, from: from.Log, filter: f, act: act(to), m: m,
		keep: func(rec []byte) error {
			if (record.Reader{}).CodecOf(rec).Encoding() != from.codec.Encoding() {
				return errStays
			}
			return from.append(rec)
		},
	}
	done, err = s.apply(ctx)
	return done, errors.Join(err, from.unreported)
}

// signalLog returns the log that a dead letter belongs to.
func (l Log) signalLog() Log {
	return Log{Component: l.Component, Signal: l.Signal, root: l.root, dir: filepath.Dir(l.dir)}
}
