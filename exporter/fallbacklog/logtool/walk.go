package logtool

import (
	"context"
	"errors"
	"io/fs"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// walk calls visit with every piece of a view's segments, oldest first. It skips segments that disappear, for instance because
// they were replayed.
func walk(ctx context.Context, v segment.View, m *meter, visit func(segment.Segment, segment.Piece) error) error {
	for _, s := range v.Segments {
		at := int64(0)
		err := v.Walk(s, func(p segment.Piece) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			m.add(p.End - at)
			at = p.End
			return visit(s, p)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		m.add(s.Size - at)
	}
	return nil
}

// recordViews is allViews for work on the records: it fails if a log has unread segments that an earlier version compressed. In
// a dead letter such segments are ignored.
func recordViews(logs []Log, progress Progress) ([]segment.View, *meter, error) {
	views, m, err := allViews(logs, progress)
	for i, v := range views {
		if len(v.Compressed) > 0 && !logs[i].DeadLetter {
			return nil, nil, &segment.CompressedError{Files: v.Compressed}
		}
	}
	return views, m, err
}

// allViews returns views of logs, and a meter for all their bytes.
func allViews(logs []Log, progress Progress) ([]segment.View, *meter, error) {
	m := &meter{progress: progress}
	views := make([]segment.View, len(logs))
	for i, l := range logs {
		v, err := l.view()
		if err != nil {
			return nil, nil, err
		}
		views[i] = v
		for _, s := range v.Segments {
			m.total += s.Size
		}
	}
	return views, m, nil
}
