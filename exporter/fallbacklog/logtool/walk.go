package logtool

import (
	"context"
	"errors"
	"io/fs"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// walk visits every piece of a view's segments, oldest first. Segments that vanish, as in a replay, are passed over.
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

// looks is lookAtAll for work on the records: it fails where a log has unread segments that an earlier version
// compressed. In a dead letter these stay where they are.
func looks(logs []Log, tell Progress) ([]segment.View, *meter, error) {
	views, m, err := lookAtAll(logs, tell)
	for i, v := range views {
		if len(v.Compressed) > 0 && !logs[i].DeadLetter {
			return nil, nil, &segment.CompressedError{Files: v.Compressed}
		}
	}
	return views, m, err
}

// lookAtAll looks at logs, and returns with them a meter for all they hold.
func lookAtAll(logs []Log, tell Progress) ([]segment.View, *meter, error) {
	m := &meter{tell: tell}
	views := make([]segment.View, len(logs))
	for i, l := range logs {
		v, err := l.look()
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
