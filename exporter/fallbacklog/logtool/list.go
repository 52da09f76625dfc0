package logtool

import (
	"context"
	"errors"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// Summary describes a log.
type Summary struct {
	Log
	Segments         []SegmentSummary `json:"segments"`
	Bytes            int64            `json:"bytes"`
	UnreadBytes      int64            `json:"unread_bytes"`
	Cursor           segment.Position `json:"cursor"`
	Quarantined      int              `json:"quarantined_files"`
	QuarantinedBytes int64            `json:"quarantined_bytes"`
	// Compressed are the paths of unread segments that an earlier version compressed. The figures above do not include them.
	Compressed []string `json:"compressed_segments,omitempty"`
	// Content is nil unless List was asked to read the records.
	Content *Content `json:"content,omitempty"`
}

// SegmentSummary describes one segment file.
type SegmentSummary struct {
	Name   string    `json:"name"`
	Begun  time.Time `json:"begun"`
	Bytes  int64     `json:"bytes"`
	Unread int64     `json:"unread_bytes"`
}

// Content describes the records that are not done.
type Content struct {
	Records int `json:"records"`
	Items   int `json:"items"` // spans, data points or log records
	// Oldest and Newest are the times of writing of the oldest and the newest record; zero if there is none.
	Oldest       time.Time `json:"oldest,omitzero"`
	Newest       time.Time `json:"newest,omitzero"`
	DamagedBytes int64     `json:"damaged_bytes"` // including damage among done records
	// WithoutKey is the number of encrypted records whose key was not given. Nothing else is known about them.
	WithoutKey int `json:"encrypted_records"`

	reader record.Reader
}

// List describes logs. With content it reads every record, otherwise only the names and the cursor.
func List(ctx context.Context, logs []Log, content bool, progress Progress) ([]Summary, error) {
	views, m, err := allViews(logs, progress)
	if err != nil {
		return nil, err
	}
	all := make([]Summary, len(logs))
	for i, v := range views {
		s := &all[i]
		s.Log, s.Cursor = logs[i], v.Cursor
		s.Compressed = v.Compressed
		s.Quarantined, s.QuarantinedBytes = v.Quarantined.Files, v.Quarantined.Bytes
		s.Segments = make([]SegmentSummary, 0, len(v.Segments)) // in JSON a list, even if it is empty
		for _, g := range v.Segments {
			s.Segments = append(s.Segments, SegmentSummary{Name: g.Name, Begun: g.Begun, Bytes: g.Size, Unread: g.Unread})
			s.Bytes += g.Size
			s.UnreadBytes += g.Unread
		}
		if !content {
			continue
		}
		s.Content = &Content{reader: s.reader}
		if err := walk(ctx, v, m, s.Content.note); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (c *Content) note(_ segment.Segment, p segment.Piece) error {
	if p.Damaged {
		c.DamagedBytes += p.End - p.Start
	}
	if p.Damaged || p.Done || p.Unfinished {
		return nil
	}
	meta, err := c.reader.Parse(p.Data)
	if errors.Is(err, record.ErrKey) {
		c.Records++
		c.WithoutKey++
		return nil
	}
	if errors.Is(err, record.ErrDamaged) {
		c.DamagedBytes += p.End - p.Start
		return nil
	}
	if err != nil {
		return err
	}
	c.Records++
	c.Items += meta.Items
	if c.Oldest.IsZero() || meta.Time.Before(c.Oldest) {
		c.Oldest = meta.Time
	}
	if meta.Time.After(c.Newest) {
		c.Newest = meta.Time
	}
	return nil
}
