package delivery

import (
	"errors"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/health"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// read fills the window. After a failed read it waits for troubleWait; meanwhile the records in the window go out, and live
// data probes.
func (r *replayer) read() {
	now := r.group.opt.Now()
	if now.Before(r.readAgainAt) {
		return
	}
	err := r.fill()
	if err != nil {
		r.readAgainAt = now.Add(troubleWait)
		r.opt.Observer.Failed(failure.Log)
		r.opt.Observer.Error(failure.Log, "the local log cannot be read", err)
	}
	r.unreadable.Store(err != nil)
	r.setTrouble(health.Reading, err)
}

// fill reads records until the window is full. A skipped record needs no room in the window, so fill can go through a whole log
// of them.
func (r *replayer) fill() error {
	for !r.stopping() {
		if more, err := r.window.fill(r.next); err != nil || !more {
			return err
		}
	}
	return nil
}

// next reads one record. It returns nil for a record that is encrypted with another key.
func (r *replayer) next() (p *pending, ok bool, err error) {
	e, ok, err := r.opt.Log.Next()
	if err != nil || !ok {
		return nil, false, err
	}
	p = &pending{entry: e}
	meta, err := r.opt.Reader.Parse(e.Record)
	if errors.Is(err, record.ErrKey) {
		r.otherKey++
		r.setTrouble(health.OtherKey, err)
		r.opt.Observer.Failed(failure.Key)
		r.opt.Observer.Error(failure.Key, "a record of the log waits for a start with its key", err)
		return nil, true, nil
	}
	if err == nil {
		p.items, p.written, p.attempts, p.metadata = meta.Items, meta.Time, meta.Attempts, meta.Metadata
		if Reason(meta.Reason) == ReasonSystemic && meta.Attempts > 0 {
			p.noteRefusal(meta.Time) // it was refused when it was live
		}
	} else {
		p.written = r.group.opt.Now() // decoding will fail too and move it to the dead letter
	}
	return p, true, nil
}
