package logtool

import (
	"context"
	"errors"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// Repaired is what Repair did to a log.
type Repaired struct {
	Log
	CutBytes     int64 `json:"cut_bytes"`         // a torn end of the newest segment
	DamagedBytes int64 `json:"quarantined_bytes"` // copied to `quarantine`
	Moved        int   `json:"moved_records"`     // whole records written again in new segments
}

// Repair makes logs whole: torn ends are cut, damaged bytes are copied to the directory `quarantine`. From the first
// damaged segment on, what has not been dealt with is written again at the end of the log, in its order, and the old
// segments go as they are copied. Whenever it is interrupted nothing is lost; records may then be there twice.
func Repair(ctx context.Context, logs []Log, tell Progress) ([]Repaired, error) {
	checks, err := Verify(ctx, logs, tell)
	if err != nil {
		return nil, err
	}
	var all []Repaired
	for i, l := range logs {
		if len(checks[i].Damage) == 0 && checks[i].Unfinished == 0 {
			continue
		}
		done, err := l.repair(ctx)
		if err != nil {
			return all, err
		}
		all = append(all, done)
	}
	return all, nil
}

func (l Log) repair(ctx context.Context) (done Repaired, err error) {
	done.Log = l
	lock, err := l.lock()
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	// The look before had no lock.
	views, m, err := looks([]Log{l}, nil)
	if err != nil {
		return done, err
	}
	v := views[0]
	first, last := uint64(0), uint64(0)
	err = walk(ctx, v, m, func(s segment.Segment, p segment.Piece) error {
		last = s.Number
		switch {
		case p.Unfinished:
			done.CutBytes += p.End - p.Start
		case p.Damaged:
			if first == 0 {
				first = s.Number
			}
			if !p.Done {
				done.DamagedBytes += p.End - p.Start
			}
		}
		return nil
	})
	if err != nil {
		return done, err
	}
	o, err := l.open() // cuts
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if first == 0 {
		return done, nil
	}
	for {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		e, ok, err := o.Next() // copies damage
		if err = errors.Join(err, o.trouble); err != nil || !ok || e.Start.Segment > last {
			return done, err
		}
		if e.Start.Segment < first {
			continue
		}
		if err := o.append(e.Record); err != nil {
			return done, err
		}
		if err := o.Done(e); err != nil {
			return done, err
		}
		done.Moved++
	}
}
