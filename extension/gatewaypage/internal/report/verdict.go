package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// judge answers in the order in which it is asked at night: is data being lost, is it refused, where does it wait and for
// how long, what is limited.
type judge struct {
	report  *Report
	verdict Verdict
	now     time.Time
}

func (j *judge) part(level Level, since time.Time, format string, args ...any) {
	v := &j.verdict
	v.Parts = append(v.Parts, fmt.Sprintf(format, args...))
	if severity(level) > severity(v.Level) {
		v.Level = level
	}
	if !since.IsZero() && (v.Since == nil || since.Before(*v.Since)) {
		v.Since = &since
	}
}

func severity(l Level) int { return slices.Index([]Level{LevelOK, LevelBusy, LevelBad}, l) }

// counted returns the line as a phrase with n items, such as "3 lines that cannot be read (metricsudp)". If n is 1, the unit is
// singular.
func (l *Line) counted(n int64) string {
	what := l.What
	if n == 1 {
		what = strings.Replace(what, l.Unit, strings.TrimSuffix(l.Unit, "s"), 1)
	}
	return fmt.Sprintf("%s %s (%s)", number(n), what, l.Component)
}

// losses says what is lost now, and what was.
func (j *judge) losses(losingSince time.Time) {
	var now, before []string
	for _, l := range j.report.Lines {
		switch {
		case l.Kind != Lost:
		case l.LastMinute > 0:
			now = append(now, l.counted(l.LastMinute))
		case l.Items > 0:
			before = append(before, l.counted(l.Items))
		}
	}
	if n := j.report.Residual; n != nil && *n > 0 {
		before = append(before, plural(*n, "item")+" that nothing accounts for")
	}
	switch {
	case len(now) > 0:
		j.verdict.LosingNow = true
		j.part(LevelBad, losingSince, "data is being lost: %s in the last minute", strings.Join(now, ", "))
	case len(before) > 0:
		j.part(LevelBusy, time.Time{}, "nothing lost in the last minute; earlier: %s", strings.Join(before, ", "))
	case len(j.report.Components) == 0:
		j.part(LevelOK, time.Time{}, "no component publishes its state")
	default:
		j.part(LevelOK, time.Time{}, "nothing lost")
	}
}

// backends says which backends are away, and what waits for them.
func (j *judge) backends() {
	for i := range j.report.Components {
		c := &j.report.Components[i]
		l := c.Log
		if l == nil {
			continue
		}
		if l.Refuses != "" {
			j.part(LevelBad, time.Time{}, "%s refuses new data: %s", c.Component, l.Refuses)
		}
		if l.Since == nil || l.Exporter == "" {
			continue
		}
		lasted := Duration(j.now.Sub(*l.Since))
		waits := ""
		if bytes := unread(l); bytes > 0 {
			waits = ", " + Bytes(bytes) + " wait in the log"
		}
		switch l.Breaker {
		case "closed":
			j.part(LevelBusy, *l.Since, "backend of %s is back%s", c.Component, waits)
		default:
			j.part(LevelBusy, *l.Since, "backend of %s down for %s%s", c.Component, lasted, waits)
		}
	}
}

// times says how long the room lasts, and how long the drain.
func (j *judge) times() {
	if s := j.report.Times.ToFullSeconds; s != nil {
		j.part(LevelBusy, time.Time{}, "log full in %s", Seconds(*s))
	}
	if s := j.report.Times.ToDrainedSeconds; s != nil && *s > 0 {
		j.part(LevelBusy, time.Time{}, "log drained in %s", Seconds(*s))
	}
}

func unread(l *gatewaystate.Log) (bytes int64) {
	for i := range l.Signals {
		bytes += l.Signals[i].UnreadBytes
	}
	return bytes
}

// refusals says what was returned, set aside or unreadable.
func (j *judge) refusals() {
	for _, l := range j.report.Lines {
		switch {
		case (l.Kind == Returned || l.Kind == Invalid) && l.LastMinute > 0:
			j.part(LevelBusy, time.Time{}, "%s in the last minute", l.counted(l.LastMinute))
		case l.Kind == Aside && l.Items > 0:
			j.part(LevelBusy, time.Time{}, "%s", l.counted(l.Items))
		}
	}
}

// arrivals says that nothing has come in since the start, which a person who has just started a gateway wants to know.
func (j *judge) arrivals() {
	idle := func(n Route) bool {
		return n.In != nil && n.In.Items == 0 && n.Sent.Items == 0 && n.Waiting.Items == 0 && n.Returned.Items == 0 && n.Lost.Items == 0
	}
	for i := range j.report.Routes {
		if !idle(j.report.Routes[i]) {
			return
		}
	}
	if len(j.report.Routes) > 0 {
		j.part(LevelOK, time.Time{}, "no data has come in yet")
	}
}

// limits says how many metrics and keys are limited, and since when.
func (j *judge) limits() {
	enforced, dry := newOffending(), newOffending()
	var since time.Time
	for _, all := range [][]Offender{j.report.Offenders, j.report.Keys} {
		for i := range all {
			o := &all[i]
			if o.DryRun || o.Action == "tag" {
				dry.add(o)
				continue
			}
			enforced.add(o)
			if since.IsZero() || o.Since.Before(since) {
				since = o.Since
			}
		}
	}
	if text := enforced.text(); text != "" {
		j.part(LevelBusy, since, "%s limited since %s", text, since.UTC().Format("15:04 UTC"))
	}
	if text := dry.text(); text != "" {
		j.part(LevelBusy, time.Time{}, "%s over a limit that only observes", text)
	}
}

// offending are distinct metrics and keys.
type offending struct{ metrics, keys map[string]bool }

func newOffending() offending { return offending{map[string]bool{}, map[string]bool{}} }

func (n offending) add(o *Offender) {
	if o.Metric != "" {
		n.metrics[o.Metric] = true
	} else {
		n.keys[o.Limit+" "+o.Key] = true
	}
}

// text counts them for a person, empty without any.
func (n offending) text() string {
	var counts []string
	if m := len(n.metrics); m > 0 {
		counts = append(counts, plural(int64(m), "metric"))
	}
	if k := len(n.keys); k > 0 {
		counts = append(counts, plural(int64(k), "key"))
	}
	return strings.Join(counts, " and ")
}

// finish writes the sentence.
func (j *judge) finish() Verdict {
	v := j.verdict
	text := strings.Join(v.Parts, "; ")
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:] + "."
	}
	v.Text = text
	return v
}

// judged is the verdict on a report whose other fields are set. losingSince is when the present loss began.
func judged(r *Report, unknown []string, refusing string, losingSince time.Time) Verdict {
	j := judge{report: r, now: r.At, verdict: Verdict{Level: LevelOK, Unknown: unknown, Ready: true, Parts: []string{}}}
	if refusing != "" {
		j.verdict.Ready, j.verdict.Why = false, refusing
	}
	losses := func() { j.losses(losingSince) }
	if losingSince.IsZero() {
		j.backends()
		losses()
	} else {
		losses()
		j.backends()
	}
	j.times()
	j.refusals()
	j.limits()
	j.arrivals()
	return j.finish()
}
