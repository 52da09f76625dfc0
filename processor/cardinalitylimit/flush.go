package cardinalitylimit

import (
	"context"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
)

// flush sends what has been folded, one batch per client metadata. What downstream
// refuses for now stays for the next flush. One caller at a time.
func (p *limiter) flush(ctx context.Context) {
	if !p.enforce {
		return
	}
	var failure error
	for _, parcel := range p.table.Flush() {
		err := p.next.ConsumeMetrics(withMetadata(ctx, parcel.Metadata), parcel.Metrics)
		outcome := fold.Delivered
		switch {
		case err == nil:
			p.telemetry.emitted(ctx, parcel.Points())
		case consumererror.IsPermanent(err):
			outcome, failure = fold.Lost, err
		default:
			outcome, failure = fold.Refused, err
		}
		p.table.Settle(parcel, outcome)
	}
	if failure != nil { // once a flush, however many batches
		p.logger.Warn("Downstream refused folded series", zap.Error(failure))
	}
	p.telemetry.folded(ctx)
}

func withMetadata(ctx context.Context, md map[string][]string) context.Context {
	if len(md) == 0 {
		return ctx
	}
	return client.NewContext(ctx, client.Info{Metadata: client.NewMetadata(md)})
}

// maintain forgets what is idle and says which keys are near their limit.
func (p *limiter) maintain() {
	p.table.Sweep()
	for _, u := range p.telemetry.usage() {
		if u.Near > 0 && p.telemetry.warnNow(u.Limit, p.cfg.Window.Duration) {
			p.logger.Warn("Keys near their limit",
				zap.String("limit", u.Limit), zap.Int64("keys", u.Near),
				zap.String("fullest_key", u.Fullest), zap.Float64("fullest_share", u.FullestShare))
		}
	}
}
