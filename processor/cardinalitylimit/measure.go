package cardinalitylimit

import (
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// measurement is what the processor's metrics tell of the limits, as it was measured last.
type measurement struct {
	at    time.Time
	usage []limit.Usage
	over  offenders.Report
}

// measure reads the trackers, frees those that are empty, and says what is near its limit and what is over it, each once
// a window.
func (p *limiter) measure() {
	m := &measurement{at: p.factory.now(), usage: p.set.Sweep(), over: p.board.Measure(p.factory.now())}
	for _, named := range [][]offenders.Offender{m.over.Top, m.over.Keys} {
		p.countValues(named)
	}
	p.telemetry.measured.Store(m)
	p.warnOf(m.usage)
	p.nameOffenders(&m.over)
	p.warnOfMetadata()
	p.warnOfGauges()
}

// countValues makes the values of a label that is an offender what they are counted as by its limit: exactly, as far as they
// have places.
func (p *limiter) countValues(named []offenders.Offender) {
	for i := range named {
		if o := &named[i]; p.set.CountsValues(o.Limit) && len(o.Labels) > 0 {
			o.Labels[0].Values = o.Wanted()
		}
	}
}

// warnOfGauges says, once a window, that gauges over a limit are dropped.
func (p *limiter) warnOfGauges() {
	now := p.factory.now()
	if p.telemetry.lostGauges.Load() == 0 || !p.gaugesSaid.IsZero() && now.Sub(p.gaugesSaid) < p.cfg.Window.Duration {
		return
	}
	p.gaugesSaid = now
	p.settings.Logger.Warn("Points of gauges that are over a limit are dropped, as reaggregate::gauge or a rule for labels says",
		zap.Int64("points", p.telemetry.lostGauges.Swap(0)))
}

// metadataAfter is how long requests have time to bring the metadata that limits ask for.
const metadataAfter = time.Minute

// warnOfMetadata says once which metadata no request has had since the start. Without it, all clients share one key.
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

// warnOf names the limits that have keys near them.
func (p *limiter) warnOf(usage []limit.Usage) {
	now := p.factory.now()
	for i := range usage {
		u := &usage[i]
		last, warned := p.warned[u.Limit]
		if u.Near == 0 || warned && now.Sub(last) < p.cfg.Window.Duration {
			continue
		}
		p.warned[u.Limit] = now
		fullest := &u.Fullest[0]
		p.settings.Logger.Warn("Keys near their limit",
			zap.String("limit", u.Limit), zap.Int64("keys", u.Near),
			zap.String("fullest_key", fullest.Key), zap.Float64("fullest_share", fullest.Share()))
	}
}
