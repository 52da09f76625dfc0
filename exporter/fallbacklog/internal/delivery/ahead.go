package delivery

import (
	"slices"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
)

// ahead are the requests that strict order decodes while one is out: without them a core would be idle in turn. They are
// sent only as what comes next by then, so the order is not theirs. It is used by one goroutine.
type ahead []*decoding

// decoding is a request that is decoded in a goroutine of its own, which ends when it is.
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

// prepare decodes what comes next if the request that is out passes.
func (r *replayer) prepare() {
	if !r.window.inOrder || r.group.breaker.State() != breaker.Closed || r.refusals.State() != breaker.Closed {
		return
	}
	now := r.group.set.Now()
	var next ahead
	for _, records := range r.window.upcoming(now, r.requestBytes(now), r.group.set.Concurrency) {
		d := r.ahead.find(records)
		if d == nil {
			d = r.startDecoding(records)
		}
		next = append(next, d)
	}
	r.ahead = next
}

// find returns the decoding of these records; nil: there is none.
func (a ahead) find(records []*pending) *decoding {
	for _, d := range a {
		if slices.Equal(d.records, records) {
			return d
		}
	}
	return nil
}
