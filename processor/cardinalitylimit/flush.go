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

// flush sends the folded series, one parcel per client metadata. A parcel that downstream refuses for now is offered again at
// the next flush. A refused parcel of the last flush is stored. If there is no storage, or if it fails, the parcel is lost, and
// the error contains the number of its points. flush must have one caller at a time.
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
	p.telemetry.countFolded()
	if stored {
		return err
	}
	return p.abandon()
}

// send offers the refused parcels first, then the new ones.
func (p *limiter) send(ctx context.Context, last bool) error {
	if p.foretold != nil {
		for _, parcel := range p.foretold.Flush() {
			p.foretold.Finish(parcel, fold.Delivered)
		}
		p.telemetry.countFolded()
		return nil
	}
	lost, failure := p.offer(ctx, p.refusedParcels(ctx), last)
	more, err := p.offer(ctx, p.newParcels(ctx), last)
	lost += more
	if err != nil {
		failure = err
	}
	p.telemetry.countFolded()
	switch {
	case failure == nil:
		return nil
	case last:
		return fmt.Errorf("%d points of folded series were not delivered: %w", lost, failure)
	default: // one log record per flush
		p.settings.Logger.Warn("Downstream refused folded series", zap.Int("points_lost", lost), zap.Error(failure))
	}
	if p.keeper != nil { // the stored state lacks the refused parcels
		p.store(ctx, false, p.table.Cut())
	}
	return nil
}

// offer sends parcels. It returns the number of lost points and the last error.
func (p *limiter) offer(ctx context.Context, parcels []*fold.Parcel, last bool) (lost int, failure error) {
	for _, parcel := range parcels {
		err := p.next.ConsumeMetrics(withMetadata(ctx, parcel.Metadata), parcel.Metrics)
		if err == nil {
			p.telemetry.emitted.Add(int64(parcel.Points()))
		} else {
			failure = err
		}
		lost += p.table.Finish(parcel, outcome(err, last))
	}
	return lost, failure
}

// refusedParcels removes the refused parcels from the table and returns them. It also removes them from the storage, so that a
// restart sends no delta twice.
func (p *limiter) refusedParcels(ctx context.Context) []*fold.Parcel {
	if p.keeper == nil {
		return p.table.Again()
	}
	cut, parcels := p.table.AgainCut()
	if len(parcels) > 0 {
		p.store(ctx, false, cut)
	}
	return parcels
}

// newParcels removes the folded series from the table and returns them as parcels. With a storage it first stores the state
// after this flush. So after a restart no total is below one that was sent, and no delta is repeated.
func (p *limiter) newParcels(ctx context.Context) []*fold.Parcel {
	if p.keeper == nil {
		return p.table.Flush()
	}
	cut, parcels := p.table.FlushCut()
	p.store(ctx, false, cut)
	return parcels
}

// save stores the whole state.
func (p *limiter) save(ctx context.Context) {
	p.store(ctx, false, p.table.Cut(), p.places()...)
}

// store writes a cut and further sections, and reports whether it wrote them. If the write fails, processing goes on, and the
// streams that the cut marks as passing may pass nevertheless.
func (p *limiter) store(ctx context.Context, clean bool, c *fold.Cut, with ...snapshot.Section) bool {
	defer p.table.Stored(c)
	return p.keeper.write(ctx, clean, append(with, state(c))...)
}

// places returns the sections of the limits.
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

// abandon discards all remaining parcels after the storage failed at the last flush.
func (p *limiter) abandon() error {
	lost := 0
	for _, remaining := range []func() []*fold.Parcel{p.table.Again, p.table.Flush} {
		for _, parcel := range remaining() {
			lost += p.table.Finish(parcel, fold.Abandoned)
		}
	}
	p.telemetry.countFolded()
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
