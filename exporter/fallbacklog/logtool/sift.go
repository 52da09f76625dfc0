package logtool

import (
	"context"
	"errors"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// Sifted is what Requeue or Discard did to a dead letter.
type Sifted struct {
	Log
	Records int `json:"records"`
	Items   int `json:"items"`             // except for those in Locked
	Locked  int `json:"encrypted_records"` // of them, without their key: they are moved unchanged
	Kept    int `json:"kept_records"`      // that the filter did not choose
}

// maxRanges is how many ranges of done records a cursor is trusted with: it has room for about 150.
const maxRanges = 100

// errStays says that a record cannot be written again in the format of the log.
var errStays = errors.New("the record stays where it is")

// sifter goes through a dead letter and acts on the records that a filter chooses.
type sifter struct {
	log    Log
	from   *segment.Log
	filter Filter
	// act deals with a chosen record, durably.
	act func(rec []byte, meta record.Meta) error
	// keep appends a record to the dead letter again.
	keep func(rec []byte) error
	m    *meter
}

// sift acts on what is in the dead letter now. Where the chosen records are too scattered for the cursor, the others are
// written again behind them, so that whole segments go; if there is no room for that they stay where they are. An
// interruption repeats records, and loses none.
func (s sifter) sift(ctx context.Context) (done Sifted, err error) {
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
		case errors.Is(err, ErrKey):
			if chosen {
				done.Locked++
			}
		case errors.Is(err, record.ErrDamaged): // not as it was encrypted: it is moved unchanged, and stops no other
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

// measure returns where the dead letter ends now, and how many ranges of done records the cursor would have to keep at
// most when all that is chosen is done: those before a record that is kept, and one at the end of each segment.
func (s sifter) measure(ctx context.Context) (end segment.Position, ranges int, err error) {
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
		if err != nil && !errors.Is(err, ErrKey) && !errors.Is(err, record.ErrDamaged) {
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

// Sift is for the gateway: it moves what a request chooses of a dead letter to the signal's log, or discards it. Both are
// the component's own; nobody else reads the dead letter meanwhile. requeued is called for each record that is moved.
func (r Request) Sift(ctx context.Context, signal string, reader record.Reader, codec record.Codec, dead, log *segment.Log,
	requeued func(meta record.Meta, size int),
) (Sifted, error) {
	appendTo := func(to *segment.Log, rec []byte) (int, error) {
		whole, err := Log{Signal: signal, reader: reader}.transcode(codec, rec)
		if err != nil {
			return 0, err
		}
		return len(whole), to.Append(whole)
	}
	s := sifter{
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
	return s.sift(ctx)
}
