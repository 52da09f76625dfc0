package cardinalitylimit

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
)

// flush sends what has been folded, one batch per client metadata. What downstream
// refuses for now stays for the next flush; of the last one it is lost, and the
// error says how much. One caller at a time.
func (p *limiter) flush(ctx context.Context, last bool) error {
	if !p.compiled.enforce {
		return nil
	}
	var failure error
	lost := 0
	for _, parcel := range p.table.Flush() {
		err := p.next.ConsumeMetrics(withMetadata(ctx, parcel.Metadata), parcel.Metrics)
		if err == nil {
			p.telemetry.emitted(ctx, parcel.Points())
		} else {
			failure = err
		}
		lost += p.table.Settle(parcel, outcome(err, last))
	}
	p.telemetry.folded(ctx)
	switch {
	case failure == nil:
		return nil
	case last:
		return fmt.Errorf("%d points of folded series were not delivered: %w", lost, failure)
	default: // once a flush, however many batches
		p.settings.Logger.Warn("Downstream refused folded series", zap.Int("points_lost", lost), zap.Error(failure))
		return nil
	}
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
