package logtool

import (
	"context"
	"errors"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// DeadLetterResult is what Requeue or Discard did to a dead letter.
type DeadLetterResult struct {
	Log
	Records    int `json:"records"`
	Items      int `json:"items"`             // without the items of WithoutKey
	WithoutKey int `json:"encrypted_records"` // number of Records whose key was not given; they are moved unchanged
	Kept       int `json:"kept_records"`      // records that the filter did not choose
}

// maxRanges is the number of done ranges that the tool leaves in a cursor, which has room for about 150.
const maxRanges = 100

// errStays means that a record cannot be written again in the format of the log.
var errStays = errors.New("the record stays where it is")

// selector acts on the chosen records of a dead letter.
type selector struct {
	log    Log
	from   *segment.Log
	filter Filter
	// act acts durably on a chosen record.
	act func(rec []byte, meta record.Meta) error
	// keep appends a record to the dead letter again.
	keep func(rec []byte) error
	m    *meter
}

// apply acts on the records that are in the dead letter now. If the chosen records are too scattered for the cursor, the others
// are written again behind them, so that whole segments can be deleted. Without room for that the others stay in their place.
// An interruption repeats records but loses none.
func (s selector) apply(ctx context.Context) (done DeadLetterResult, err error) {
	done.Log = s.log
	defer s.from.Rewind()
	end, ranges, err := s.measure(ctx)
	if err != nil {
		return done, err
	}
	s.from.Rewind()
	rewrite := ranges > maxRanges
	for {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		e, ok, err := s.from.Next()
		if err != nil || !ok || !e.Start.Before(end) {
			return done, err
		}
		chosen, meta, err := s.filter.chooses(s.log, e.Record)
		switch {
		case errors.Is(err, record.ErrKey):
			if chosen {
				done.WithoutKey++
			}
		case errors.Is(err, record.ErrDamaged): // it was changed after encryption: it is moved unchanged and delays no other
		case err != nil:
			return done, err
		}
		s.m.add(e.End.Offset - e.Start.Offset)
		switch {
		case chosen:
			if err := s.act(e.Record, meta); errors.Is(err, errStays) {
				done.Kept++
				continue
			} else if err != nil {
				return done, err
			}
			done.Records++
			done.Items += meta.Items
		case rewrite:
			done.Kept++
			if err := s.keep(e.Record); errors.Is(err, segment.ErrFull) || errors.Is(err, errStays) {
				continue
			} else if err != nil {
				return done, err
			}
		default:
			done.Kept++
			continue
		}
		if err := s.from.Done(e); err != nil {
			return done, err
		}
	}
}

// measure returns the present end of the dead letter, and an upper bound of the done ranges in the cursor after all chosen
// records are done: one before each record that is kept, and one at the end of each segment.
func (s selector) measure(ctx context.Context) (end segment.Position, ranges int, err error) {
	var kept segment.Position // the end of the last record that is kept
	for {
		if err := ctx.Err(); err != nil {
			return end, 0, err
		}
		e, ok, err := s.from.Next()
		if err != nil || !ok {
			return end, ranges, err
		}
		if e.Start.Segment != end.Segment {
			ranges++
			kept = segment.Position{Segment: e.Start.Segment}
		}
		end = e.End
		chosen, _, err := s.filter.chooses(s.log, e.Record)
		if err != nil && !errors.Is(err, record.ErrKey) && !errors.Is(err, record.ErrDamaged) {
			return end, 0, err
		}
		if chosen {
			continue
		}
		if e.Start != kept {
			ranges++
		}
		kept = e.End
	}
}

// Apply moves the chosen records of a dead letter to the signal's log, or deletes them. The gateway calls it with its own logs,
// and nothing else may read the dead letter meanwhile. requeued is called for each record that is moved.
func (r Request) Apply(ctx context.Context, signal string, reader record.Reader, codec record.Codec, dead, log *segment.Log,
	requeued func(meta record.Meta, size int),
) (DeadLetterResult, error) {
	appendTo := func(to *segment.Log, rec []byte) (int, error) {
		whole, err := Log{Signal: signal, reader: reader}.transcode(codec, rec)
		if err != nil {
			return 0, err
		}
		return len(whole), to.Append(whole)
	}
	s := selector{
		log: Log{Signal: signal, DeadLetter: true, reader: reader}, from: dead, filter: r.Filter, m: &meter{},
		act: func(rec []byte, meta record.Meta) error {
			if r.Command == Discarding {
				return nil
			}
			size, err := appendTo(log, rec)
			if err == nil {
				requeued(meta, size)
			}
			return err
		},
		keep: func(rec []byte) error {
			_, err := appendTo(dead, rec)
			return err
		},
	}
	return s.apply(ctx)
}
