package delivery

import (
	"slices"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
)

// ahead contains the next requests, which strict order decodes while one is in flight so that a second core is not idle. A
// decoded request is used only if it is the next one by then, so ahead does not affect the order. One goroutine uses it.
type ahead []*decoding

// decoding is a request that a goroutine of its own decodes.
type decoding struct {
	records []*pending
	done    chan struct{} // closed when batch and err are final
	batch   Batch
	err     error
}

func (r *replayer) startDecoding(records []*pending) *decoding {
	d := &decoding{records: records, done: make(chan struct{})}
	r.decoders.Go(func() {
		defer close(d.done)
		d.batch, d.err = r.decode(records)
	})
	return d
}

// prepare decodes the next requests, assuming that the request in flight passes.
func (r *replayer) prepare() {
	if !r.window.inOrder || r.group.breaker.State() != breaker.Closed || r.refusalBreaker.State() != breaker.Closed {
		return
	}
	now := r.group.opt.Now()
	var next ahead
	for _, records := range r.window.upcoming(now, r.requestBytes(now), r.group.opt.Concurrency) {
		d := r.ahead.find(records)
		if d == nil {
			d = r.startDecoding(records)
		}
		next = append(next, d)
	}
	r.ahead = next
}

// find returns the decoding of these records, or nil.
func (a ahead) find(records []*pending) *decoding {
	for _, d := range a {
		if slices.Equal(d.records, records) {
			return d
		}
	}
	return nil
}
