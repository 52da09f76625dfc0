package cardinalitylimit

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

// flush sends what has been folded, one batch for each client metadata. What downstream
// refuses for now is offered again at the next flush; of the last one it is stored or,
// where that fails, lost, and the error says how much. One caller at a time.
func (p *limiter) flush(ctx context.Context, last bool) error {
	if !last {
		return p.send(ctx, false)
	}
	if p.keeper == nil {
		return p.send(ctx, true)
	}
	err := p.send(ctx, false)
	stored := p.store(ctx, true, p.table.Cut(), p.places()...)
	p.table.DropExemplars()
	p.telemetry.folded(context.Background())
	if stored {
		return err
	}
	return p.abandon()
}

// send offers what was refused before, then what has come since.
func (p *limiter) send(ctx context.Context, last bool) error {
	if p.foretold != nil {
		for _, parcel := range p.foretold.Flush() {
			p.foretold.Settle(parcel, fold.Delivered)
		}
		p.telemetry.folded(ctx)
		return nil
	}
	lost, failure := p.offer(ctx, p.again(ctx), last)
	more, err := p.offer(ctx, p.parcels(ctx), last)
	lost += more
	if err != nil {
		failure = err
	}
	p.telemetry.folded(ctx)
	switch {
	case failure == nil:
		return nil
	case last:
		return fmt.Errorf("%d points of folded series were not delivered: %w", lost, failure)
	default: // once a flush, however many batches
		p.settings.Logger.Warn("Downstream refused folded series", zap.Int("points_lost", lost), zap.Error(failure))
	}
	if p.keeper != nil { // what came back is not in what was stored before
		p.store(ctx, false, p.table.Cut())
	}
	return nil
}

// offer sends parcels and returns how many points are lost, and the last error.
func (p *limiter) offer(ctx context.Context, parcels []*fold.Parcel, last bool) (lost int, failure error) {
	for _, parcel := range parcels {
		err := p.next.ConsumeMetrics(withMetadata(ctx, parcel.Metadata), parcel.Metrics)
		if err == nil {
			p.telemetry.emitted(ctx, parcel.Points())
		} else {
			failure = err
		}
		lost += p.table.Settle(parcel, outcome(err, last))
	}
	return lost, failure
}

// again removes from the table what downstream has refused before. A storage no longer contains it
// by then: a restart sends no delta twice.
func (p *limiter) again(ctx context.Context) []*fold.Parcel {
	if p.keeper == nil {
		return p.table.Again()
	}
	cut, parcels := p.table.AgainCut()
	if len(parcels) > 0 {
		p.store(ctx, false, cut)
	}
	return parcels
}

// parcels removes from the table what is to leave. With a storage it is written first: a restart then
// never begins below a total that has left, and repeats no delta.
func (p *limiter) parcels(ctx context.Context) []*fold.Parcel {
	if p.keeper == nil {
		return p.table.Flush()
	}
	cut, parcels := p.table.FlushCut()
	p.store(ctx, false, cut)
	return parcels
}

// save stores all of the state.
func (p *limiter) save(ctx context.Context) {
	p.store(ctx, false, p.table.Cut(), p.places()...)
}

// store writes a cut and what is given with it, and reports whether it did. If it did
// not, places that the cut tells of hold all the same: processing goes on.
func (p *limiter) store(ctx context.Context, clean bool, c *fold.Cut, with ...snapshot.Section) bool {
	defer p.table.Stored(c)
	return p.keeper.write(ctx, clean, append(with, state(c))...)
}

// places are the sections of the limits.
func (p *limiter) places() []snapshot.Section {
	sections := make([]snapshot.Section, 0, p.set.Len()+1)
	for i := range p.set.Len() {
		sections = append(sections, snapshot.Section{
			Name: placesOf(p.set.Name(i)), Encode: func(e *snapshot.Encoder) { p.set.Encode(i, e) },
		})
	}
	return sections
}

func state(c *fold.Cut) snapshot.Section {
	return snapshot.Section{Name: stateSection, Encode: c.Encode}
}

// abandon gives up what the last flush left and the storage refused.
func (p *limiter) abandon() error {
	lost := 0
	for _, remaining := range []func() []*fold.Parcel{p.table.Again, p.table.Flush} {
		for _, parcel := range remaining() {
			lost += p.table.Settle(parcel, fold.Abandoned)
		}
	}
	p.telemetry.folded(context.Background())
	return fmt.Errorf("the state was not stored: %d points of folded series are lost", lost)
}

func outcome(err error, last bool) fold.Outcome {
	switch {
	case err == nil:
		return fold.Delivered
	case last:
		return fold.Abandoned
	case consumererror.IsPermanent(err):
		return fold.Lost
	default:
		return fold.Refused
	}
}

func withMetadata(ctx context.Context, md map[string][]string) context.Context {
	if len(md) == 0 {
		return ctx
	}
	return client.NewContext(ctx, client.Info{Metadata: client.NewMetadata(md)})
}
