package cardinalitylimit

import (
	"fmt"
	"maps"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

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
	p.telemetry.measured.Store(m)
	p.warnOf(m.usage)
	p.nameOffenders(m.over.Top)
	p.warnOfMetadata()
	p.warnOfGauges()
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
		p.settings.Logger.Warn("Keys near their limit",
			zap.String("limit", u.Limit), zap.Int64("keys", u.Near),
			zap.String("fullest_key", u.Fullest), zap.Float64("fullest_share", u.FullestShare))
	}
}

// maxNamed is how many records about offenders there are each minute; one more says how many there would have been.
const maxNamed = 10

// offenderNames remembers which offenders were named, so that each is named when it begins to offend, and again if it
// still does a window later. Of the flusher's goroutine.
type offenderNames struct {
	at     map[offenderName]time.Time
	minute time.Time // when the present minute began
	named  int       // in it
	silent int       // not named in it
}

type offenderName struct {
	limit int
	offenders.Subject
}

// forget removes those that were named a window ago.
func (n *offenderNames) forget(now time.Time, window time.Duration) {
	maps.DeleteFunc(n.at, func(_ offenderName, at time.Time) bool { return now.Sub(at) >= window })
}

// due reports whether an offender is to be named now.
func (n *offenderNames) due(now time.Time, name offenderName) bool {
	if _, named := n.at[name]; named {
		return false
	}
	n.at[name] = now
	if n.named == maxNamed {
		n.silent++
		return false
	}
	n.named++
	return true
}

// nameOffenders logs each metric that begins to be over its limit, to be acted on.
func (p *limiter) nameOffenders(top []offenders.Offender) {
	now, n := p.factory.now(), &p.names
	n.forget(now, p.cfg.Window.Duration)
	if now.Sub(n.minute) >= time.Minute {
		if n.silent > 0 {
			p.settings.Logger.Warn("More metrics are over their limits than are named", zap.Int("metrics", n.silent))
		}
		n.minute, n.named, n.silent = now, 0, 0
	}
	for i := range top {
		o := &top[i]
		if n.due(now, offenderName{o.Limit, o.Subject}) {
			p.settings.Logger.Warn(p.sentence(o), zap.Inline(p.record(o)))
		}
	}
}

// sentence says of an offender what a person needs to act on it. The estimates are round, as they are not exact.
func (p *limiter) sentence(o *offenders.Offender) string {
	subject := "Metric " + o.Metric
	if o.Key != "" {
		subject += " (" + o.Key + ")"
	}
	if len(o.Labels) == 0 {
		return fmt.Sprintf("%s: about %d series wanted, limit %d", subject, round(o.Wanted()), o.Max)
	}
	label := &o.Labels[0]
	if p.set.CountsValues(o.Limit) {
		return fmt.Sprintf("%s: label %s has about %d values, limit %d", subject, label.Name, round(o.Wanted()), o.Max)
	}
	return fmt.Sprintf("%s: about %d series wanted, limit %d, label %s has about %d values",
		subject, round(o.Wanted()), o.Max, label.Name, round(label.Values))
}

// round keeps three digits.
func round(n int64) int64 {
	unit := int64(1)
	for n/unit >= 1000 {
		unit *= 10
	}
	return (n + unit/2) / unit * unit
}

// record is an offender in a log record.
func (p *limiter) record(o *offenders.Offender) zapcore.ObjectMarshalerFunc {
	return func(enc zapcore.ObjectEncoder) error {
		enc.AddString("limit", p.set.Name(o.Limit))
		enc.AddString("metric", o.Metric)
		enc.AddString("key", o.Key)
		enc.AddInt64("wanted", o.Wanted())
		enc.AddInt64("max", o.Max)
		return enc.AddArray("labels", zapcore.ArrayMarshalerFunc(func(enc zapcore.ArrayEncoder) error {
			for i := range o.Labels {
				if err := enc.AppendObject(p.labelRecord(&o.Labels[i])); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func (p *limiter) labelRecord(l *offenders.Label) zapcore.ObjectMarshalerFunc {
	return func(enc zapcore.ObjectEncoder) error {
		enc.AddString("label", l.Name)
		enc.AddInt64("values", l.Values)
		if len(l.Examples) == 0 || !p.cfg.TopOffenders.LogExamples {
			return nil
		}
		return enc.AddArray("examples", zapcore.ArrayMarshalerFunc(func(enc zapcore.ArrayEncoder) error {
			for _, e := range l.Examples {
				enc.AppendString(e)
			}
			return nil
		}))
	}
}
