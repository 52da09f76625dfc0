package cardinalitylimit

import (
	"fmt"
	"maps"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// maxNamed is the maximum number of log records about offenders per minute. One more record has the number of the others.
const maxNamed = 10

// offenderNames remembers which offenders the log has named. An offender is named when it first exceeds a limit, and a window
// later if it still does. An offender that was not named in one minute is named in the next. Only the flusher's goroutine uses
// it.
type offenderNames struct {
	namedAt map[offenderName]time.Time
	minute  time.Time             // begin of the present minute
	named   int                   // number of offenders named in the present minute
	waiting map[offenderName]bool // offenders not named in the present minute
}

func newOffenderNames() offenderNames {
	return offenderNames{namedAt: make(map[offenderName]time.Time), waiting: make(map[offenderName]bool)}
}

type offenderName struct {
	limit int
	offenders.Subject
}

// advance moves on to now. If a minute has ended, it returns the number of offenders that were not named in it.
func (n *offenderNames) advance(now time.Time, window time.Duration) (waiting int) {
	maps.DeleteFunc(n.namedAt, func(_ offenderName, at time.Time) bool { return now.Sub(at) >= window })
	if now.Sub(n.minute) < time.Minute {
		return 0
	}
	waiting = len(n.waiting)
	n.minute, n.named = now, 0
	clear(n.waiting)
	return waiting
}

// due reports whether an offender is to be named now.
func (n *offenderNames) due(now time.Time, name offenderName) bool {
	if _, named := n.namedAt[name]; named {
		return false
	}
	if n.named == maxNamed {
		n.waiting[name] = true
		return false
	}
	delete(n.waiting, name)
	n.namedAt[name] = now
	n.named++
	return true
}

// nameOffenders logs each key and metric that first exceeds its limit.
func (p *limiter) nameOffenders(over *offenders.Report) {
	now, n := p.factory.now(), &p.names
	if waiting := n.advance(now, p.cfg.Window.Duration); waiting > 0 {
		p.settings.Logger.Warn("More metrics are over their limits than are named", zap.Int("metrics", waiting))
	}
	for _, all := range [][]offenders.Offender{over.Keys, over.Top} {
		for i := range all {
			o := &all[i]
			if n.due(now, offenderName{o.Limit, o.Subject}) {
				p.settings.Logger.Warn(p.sentenceAbout(o), zap.Inline(p.fieldsOf(o)))
			}
		}
	}
}

// sentenceAbout describes an offender for a person. The estimates are rounded, because they are not exact.
func (p *limiter) sentenceAbout(o *offenders.Offender) string {
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

// round rounds to three digits.
func round(n int64) int64 {
	unit := int64(1)
	for n/unit >= 1000 {
		unit *= 10
	}
	return (n + unit/2) / unit * unit
}

// fieldsOf returns the fields of a log record about an offender.
func (p *limiter) fieldsOf(o *offenders.Offender) zapcore.ObjectMarshalerFunc {
	return func(enc zapcore.ObjectEncoder) error {
		enc.AddString("limit", p.set.Name(o.Limit))
		enc.AddString("metric", o.Metric)
		enc.AddString("key", o.Key)
		enc.AddInt64("wanted", o.Wanted())
		enc.AddInt64("max", o.Max)
		return enc.AddArray("labels", zapcore.ArrayMarshalerFunc(func(enc zapcore.ArrayEncoder) error {
			for i := range o.Labels {
				if err := enc.AppendObject(p.labelFields(&o.Labels[i])); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func (p *limiter) labelFields(l *offenders.Label) zapcore.ObjectMarshalerFunc {
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
