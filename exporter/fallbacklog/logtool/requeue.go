package logtool

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// Requeue moves what a filter chooses of dead letters to the end of their signals' logs, where the next start replays it.
// A record is durable in the log before it leaves the dead letter: an interruption may leave one in both.
func Requeue(ctx context.Context, logs []Log, f Filter, tell Progress) ([]Sifted, error) {
	return siftAll(ctx, logs, f, tell, Log.requeue)
}

// Discard deletes what a filter chooses of dead letters.
func Discard(ctx context.Context, logs []Log, f Filter, tell Progress) ([]Sifted, error) {
	return siftAll(ctx, logs, f, tell, Log.discard)
}

func siftAll(ctx context.Context, logs []Log, f Filter, tell Progress,
	one func(Log, context.Context, Filter, *meter) (Sifted, error),
) ([]Sifted, error) {
	_, m, err := looks(logs, tell)
	if err != nil {
		return nil, err
	}
	var all []Sifted
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

func (l Log) requeue(ctx context.Context, f Filter, m *meter) (done Sifted, err error) {
	return l.sift(ctx, f, m, func(to *owned) func([]byte, record.Meta) error {
		return func(rec []byte, _ record.Meta) error { return errors.Join(to.append(rec), to.trouble) }
	})
}

func (l Log) discard(ctx context.Context, f Filter, m *meter) (done Sifted, err error) {
	return l.sift(ctx, f, m, func(*owned) func([]byte, record.Meta) error {
		return func([]byte, record.Meta) error { return nil }
	})
}

// sift opens the dead letter and its signal's log as their owner.
func (l Log) sift(ctx context.Context, f Filter, m *meter, act func(to *owned) func([]byte, record.Meta) error) (done Sifted, err error) {
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
	s := sifter{
		log: l, from: from.Log, filter: f, act: act(to), m: m,
		keep: func(rec []byte) error {
			if (record.Reader{}).Of(rec).Encoding() != from.codec.Encoding() {
				return errStays
			}
			return from.append(rec)
		},
	}
	done, err = s.sift(ctx)
	return done, errors.Join(err, from.trouble)
}

// signalLog is the log that a dead letter belongs to.
func (l Log) signalLog() Log {
	return Log{Component: l.Component, Signal: l.Signal, root: l.root, dir: filepath.Dir(l.dir)}
}
