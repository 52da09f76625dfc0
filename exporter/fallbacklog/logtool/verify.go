package logtool

import (
	"context"
	"errors"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// Check is the result of Verify for one log.
type Check struct {
	Log
	Records int `json:"records"` // whole ones, including done ones
	Items   int `json:"items"`   // without the items of WithoutKey
	// WithoutKey is the number of encrypted records whose key was not given. Only their checksums were verified.
	WithoutKey int   `json:"encrypted_records"`
	Bytes      int64 `json:"bytes"`
	// Unfinished is the number of bytes at the end of the newest segment that are no complete record: a record is being written
	// or, without a running gateway, a crash has torn it. It was never acknowledged. The next start cuts it off.
	Unfinished int64   `json:"unfinished_bytes"`
	Damage     []Range `json:"damage"`
	// Lost lists contradictions between the segments and the cursor.
	Lost []segment.Damage `json:"lost,omitempty"`
}

// Range is a range of bytes of a segment.
type Range struct {
	Segment string `json:"segment"`
	Start   int64  `json:"start"`
	End     int64  `json:"end"`
}

// Verify reads every byte and checks every checksum.
func Verify(ctx context.Context, logs []Log, progress Progress) ([]Check, error) {
	views, m, err := recordViews(logs, progress)
	if err != nil {
		return nil, err
	}
	all := make([]Check, len(logs))
	for i, v := range views {
		all[i] = Check{Log: logs[i], Damage: []Range{}, Lost: v.Damage}
		if err := walk(ctx, v, m, all[i].note); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (c *Check) note(s segment.Segment, p segment.Piece) error {
	c.Bytes += p.End - p.Start
	var meta record.Meta
	var err error
	if !p.Damaged && !p.Unfinished {
		meta, err = c.reader.Parse(p.Data)
	}
	switch {
	case p.Unfinished:
		c.Unfinished += p.End - p.Start
	case errors.Is(err, record.ErrKey):
		c.Records++
		c.WithoutKey++
	case p.Damaged, errors.Is(err, record.ErrDamaged): // ErrDamaged: the checksum matches, but the record was changed after encryption
		if n := len(c.Damage); n > 0 && c.Damage[n-1].Segment == s.Name && c.Damage[n-1].End == p.Start {
			c.Damage[n-1].End = p.End
		} else {
			c.Damage = append(c.Damage, Range{s.Name, p.Start, p.End})
		}
	default:
		if err != nil {
			return err
		}
		c.Records++
		c.Items += meta.Items
	}
	return nil
}

// DamageKind is the cause of a damage.
type DamageKind = segment.DamageKind

// The kinds of damage in Check.Lost.
const (
	Emptied = segment.Emptied
	Missing = segment.Missing
)
