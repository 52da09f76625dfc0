package logtool

import (
	"context"
	"errors"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// Check is what Verify found in a log.
type Check struct {
	Log
	Records int `json:"records"` // whole ones, also those dealt with
	Items   int `json:"items"`   // but for those in Locked
	// Locked are those of the records that are encrypted and whose key is not there: only their checksums are checked.
	Locked int   `json:"encrypted_records"`
	Bytes  int64 `json:"bytes"`
	// Unfinished is the end of the newest segment that is no record yet: one in writing or, where no gateway runs, one
	// that a crash has torn. Nobody was told that it was taken; the next start cuts it off.
	Unfinished int64   `json:"unfinished_bytes"`
	Damage     []Range `json:"damage"`
	// Lost are segments that are not what the cursor says of them.
	Lost []segment.Damage `json:"lost,omitempty"`
}

// Range is bytes of a segment.
type Range struct {
	Segment string `json:"segment"`
	Start   int64  `json:"start"`
	End     int64  `json:"end"`
}

// Verify reads every byte and checks every checksum.
func Verify(ctx context.Context, logs []Log, tell Progress) ([]Check, error) {
	views, m, err := looks(logs, tell)
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
	case errors.Is(err, ErrKey):
		c.Records++
		c.Locked++
	case p.Damaged, errors.Is(err, record.ErrDamaged): // its checksum is right, but it is not as it was encrypted
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

// DamageKind says what happened to a segment.
type DamageKind = segment.DamageKind

// What Check.Lost may say.
const (
	Emptied = segment.Emptied
	Missing = segment.Missing
)
