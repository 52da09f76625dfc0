package delivery

import (
	"errors"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/health"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// read fills the window. After an error of the disk it lets some time pass, in which what is in the window goes out, and
// live data probes.
func (r *replayer) read() {
	now := r.group.set.Now()
	if now.Before(r.readAgain) {
		return
	}
	err := r.fill()
	if err != nil {
		r.readAgain = now.Add(troubleWait)
		r.opt.Observer.Failed(failure.Log)
		r.opt.Observer.Error(failure.Log, "the local log cannot be read", err)
	}
	r.unreadable.Store(err != nil)
	r.trouble(health.Reading, err)
}

// fill reads what the window has room for. What is passed over takes no room in it: there may be a log of that.
func (r *replayer) fill() error {
	for !r.stopping() {
		if more, err := r.window.fill(r.next); err != nil || !more {
			return err
		}
	}
	return nil
}

// next reads one record; nil for one that is encrypted with another key.
func (r *replayer) next() (p *pending, ok bool, err error) {
	e, ok, err := r.opt.Log.Next()
	if err != nil || !ok {
		return nil, false, err
	}
	p = &pending{entry: e}
	meta, err := r.opt.Reader.Parse(e.Record)
	if errors.Is(err, record.ErrKey) {
		r.locked++
		r.trouble(health.Locked, err)
		r.opt.Observer.Failed(failure.Key)
		r.opt.Observer.Error(failure.Key, "a record of the log waits for a start with its key", err)
		return nil, true, nil
	}
	if err == nil {
		p.items, p.written, p.attempts, p.metadata = meta.Items, meta.Time, meta.Attempts, meta.Metadata
		if Reason(meta.Reason) == ReasonSystemic && meta.Attempts > 0 {
			p.refuse(meta.Time) // when it was live
		}
	} else {
		p.written = r.group.set.Now() // decoding will fail too, and then it is buried
	}
	return p, true, nil
}
