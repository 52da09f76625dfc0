package cardinalitylimit

import (
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// measurement is the state of the limits at one time. The processor's metrics show the last one.
type measurement struct {
	at    time.Time
	usage []limit.Usage
	over  offenders.Report
}

// measure measures the limits and frees empty trackers. It logs the keys near their limits and the offenders, each once per
// window.
func (p *limiter) measure() {
	m := &measurement{at: p.factory.now(), usage: p.set.Sweep(), over: p.board.Measure(p.factory.now())}
	for _, named := range [][]offenders.Offender{m.over.Top, m.over.Keys} {
		p.countValues(named)
	}
	p.telemetry.measured.Store(m)
	p.warnOfNearKeys(m.usage)
	p.nameOffenders(&m.over)
	p.warnOfMetadata()
	p.warnOfGauges()
}

// countValues replaces the estimated values of a label under a limit on values by the wanted places. Those are exact for the
// values that have places.
func (p *limiter) countValues(named []offenders.Offender) {
	for i := range named {
		if o := &named[i]; p.set.CountsValues(o.Limit) && len(o.Labels) > 0 {
			o.Labels[0].Values = o.Wanted()
		}
	}
}

// warnOfGauges logs once per window that gauges over a limit are dropped.
func (p *limiter) warnOfGauges() {
	now := p.factory.now()
	if p.telemetry.lostGauges.Load() == 0 || !p.gaugesLoggedAt.IsZero() && now.Sub(p.gaugesLoggedAt) < p.cfg.Window.Duration {
		return
	}
	p.gaugesLoggedAt = now
	p.settings.Logger.Warn("Points of gauges that are over a limit are dropped, as reaggregate::gauge or a rule for labels requires",
		zap.Int64("points", p.telemetry.lostGauges.Swap(0)))
}

// metadataAfter is the time after the start from which on missing metadata is logged.
const metadataAfter = time.Minute

// warnOfMetadata logs once which metadata of the limits no request has had since the start. Without it, all clients share one
// key.
func (p *limiter) warnOfMetadata() {
	if p.metadataChecked || p.factory.now().Sub(p.started) < metadataAfter {
		return
	}
	missing := p.set.MissingMetadata()
	if len(missing) == 0 {
		return
	}
	p.metadataChecked = true
	p.settings.Logger.Warn("No request has had client metadata that a limit asks for: the receiver needs include_metadata, "+
		"and a batch processor before this one metadata_keys", zap.Strings("metadata", missing))
}

// warnOfNearKeys logs the limits that have keys near their maximum.
func (p *limiter) warnOfNearKeys(usage []limit.Usage) {
	now := p.factory.now()
	for i := range usage {
		u := &usage[i]
		last, warned := p.nearLoggedAt[u.Limit]
		if u.Near == 0 || warned && now.Sub(last) < p.cfg.Window.Duration {
			continue
		}
		p.nearLoggedAt[u.Limit] = now
		fullest := &u.Fullest[0]
		p.settings.Logger.Warn("Keys near their limit",
			zap.String("limit", u.Limit), zap.Int64("keys", u.Near),
			zap.String("fullest_key", fullest.Key), zap.Float64("fullest_share", fullest.Share()))
	}
}
