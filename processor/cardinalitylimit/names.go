package cardinalitylimit

import (
	"fmt"
	"maps"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// maxNamed is how many records about offenders there are each minute; one more says how many there would have been.
const maxNamed = 10

// offenderNames remembers which offenders were named, so that each is named when it begins to offend, and again if it
// still does a window later. An offender that was not named in one minute is due in the next. Of the flusher's goroutine.
type offenderNames struct {
	at     map[offenderName]time.Time
	minute time.Time             // when the present minute began
	named  int                   // in it
	silent map[offenderName]bool // not named in it
}

func newOffenderNames() offenderNames {
	return offenderNames{at: make(map[offenderName]time.Time), silent: make(map[offenderName]bool)}
}

type offenderName struct {
	limit int
	offenders.Subject
}

// begin moves on to now. It returns how many offenders the minute that ended did not name.
func (n *offenderNames) begin(now time.Time, window time.Duration) (silent int) {
	maps.DeleteFunc(n.at, func(_ offenderName, at time.Time) bool { return now.Sub(at) >= window })
	if now.Sub(n.minute) < time.Minute {
		return 0
	}
	silent = len(n.silent)
	n.minute, n.named = now, 0
	clear(n.silent)
	return silent
}

// due reports whether an offender is to be named now.
func (n *offenderNames) due(now time.Time, name offenderName) bool {
	if _, named := n.at[name]; named {
		return false
	}
	if n.named == maxNamed {
		n.silent[name] = true
		return false
	}
	delete(n.silent, name)
	n.at[name] = now
	n.named++
	return true
}

// nameOffenders logs each key and metric that begins to be over its limit.
func (p *limiter) nameOffenders(over *offenders.Report) {
	now, n := p.factory.now(), &p.names
	if silent := n.begin(now, p.cfg.Window.Duration); silent > 0 {
		p.settings.Logger.Warn("More metrics are over their limits than are named", zap.Int("metrics", silent))
	}
	for _, all := range [][]offenders.Offender{over.Keys, over.Top} {
		for i := range all {
			o := &all[i]
			if n.due(now, offenderName{o.Limit, o.Subject}) {
				p.settings.Logger.Warn(p.sentence(o), zap.Inline(p.record(o)))
			}
		}
	}
}

// sentence says of an offender what a person needs to act on it. The estimates are rounded, since they are not exact.
func (p *limiter) sentence(o *offenders.Offender) string {
	subject := p.subjectOf(o)
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

func (p *limiter) subjectOf(o *offenders.Offender) string {
	switch {
	case o.Metric == "" && o.Key == "":
		return "All metrics under limit " + p.set.Name(o.Limit)
	case o.Metric == "":
		return "Key " + o.Key
	case o.Key == "":
		return "Metric " + o.Metric
	default:
		return "Metric " + o.Metric + " (" + o.Key + ")"
	}
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
