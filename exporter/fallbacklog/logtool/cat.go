package logtool

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// Selection chooses the records that Cat writes.
type Selection struct {
	Filter
	All   bool // also records that are done and still on disk
	Limit int  // largest number of records; 0: no limit
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// Cat writes records as OTLP JSON, one request per line, log by log, oldest first. It returns the number of bytes that it
// skipped because they were no records or were changed after encryption. An encrypted record without its key is an error,
// record.ErrKey.
func Cat(ctx context.Context, logs []Log, sel Selection, out io.Writer) (damaged int64, err error) {
	views, m, err := recordViews(logs, nil)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(out, 1<<20)
	written := 0
	var l Log
	visit := func(_ segment.Segment, p segment.Piece) error {
		if p.Damaged {
			damaged += p.End - p.Start
		}
		if p.Damaged || p.Unfinished || p.Done && !sel.All {
			return nil
		}
		meta, err := l.reader.Parse(p.Data)
		if errors.Is(err, record.ErrDamaged) {
			damaged += p.End - p.Start
			return nil
		}
		if err != nil {
			return err
		}
		if fits, err := sel.matches(l, p.Data, meta); err != nil || !fits {
			return err
		}
		line, err := l.asLine(p.Data, meta)
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		if written++; written == sel.Limit {
			return errEnough
		}
		return nil
	}
	for k, v := range views {
		l = logs[k]
		err := walk(ctx, v, m, visit)
		if errors.Is(err, errEnough) {
			break
		}
		if err != nil {
			return damaged, errors.Join(err, w.Flush())
		}
	}
	return damaged, w.Flush()
}
