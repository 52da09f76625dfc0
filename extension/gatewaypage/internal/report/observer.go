package report

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// Options of an Observer.
type Options struct {
	Name, Version string
	ProcessStart  time.Time
	Reloaded      bool // the process had another configuration before
	Peers         []string
	Examples      Examples
	CostPer1000   float64 // of series; 0: not shown
	SelfMetrics   bool    // the gateway's own metrics are read
	Now           func() time.Time
}

// Observer makes a report of each reading. Observe has one caller at a time; the other methods are safe for concurrent use.
type Observer struct {
	options Options
	history *gatewaystate.History
	begin   time.Time
	// readings are those observed. The first one is before the components have started.
	readings int

	window  window
	changes *changes
	counter counter

	mu        sync.Mutex
	pipelines Pipelines
}

// New returns an observer whose history begins now.
func New(o Options) *Observer {
	now := o.Now()
	v := &Observer{
		options: o, begin: now, history: gatewaystate.NewHistory(now), changes: newChanges(),
		counter: counter{baselines: map[[2]string]int64{}},
	}
	if o.Reloaded {
		v.changes.add(now, "the configuration was loaded, version %s; the process runs since %s",
			o.Version, o.ProcessStart.UTC().Format("2006-01-02 15:04:05 UTC"))
	} else {
		v.changes.add(now, "the gateway started, version %s", o.Version)
	}
	return v
}

// History is the last hour.
func (v *Observer) History() *gatewaystate.History { return v.history }

// SetPipelines says how data goes from receivers to exporters.
func (v *Observer) SetPipelines(p Pipelines) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pipelines = p
}

// Observe makes the report of a reading.
func (v *Observer) Observe(r *Reading) *Report {
	at := r.Snapshot.At
	v.mu.Lock()
	v.counter.pipelines = v.pipelines
	v.mu.Unlock()
	rep := &Report{
		APIVersion: APIVersion, At: at, Lines: newLedger(r), Components: []gatewaystate.State{}, Offenders: []Offender{}, Keys: []Offender{},
		Instance: Instance{
			Name: v.options.Name, Version: v.options.Version, Started: v.options.ProcessStart, HistoryBegins: v.begin,
			Reloaded: v.options.Reloaded, Peers: v.options.Peers,
		},
	}
	if rss, ok := r.Metrics.Sum("otelcol_process_memory_rss_bytes", "", ""); ok {
		rep.Instance.MemoryBytes = int64(rss)
	}
	counted := v.counter.routes(r)
	v.note(at, rep.Lines, counted, r.Metrics != nil)
	v.rates(rep, counted)
	v.components(r, rep)
	v.saved(rep)
	v.changes.reads(at, errText(r.MetricsErr))
	losingSince := v.changes.loses(at, losing(rep))
	rep.Verdict = judged(rep, v.unknown(r, rep), v.refusing(r), losingSince)
	rep.Changes = v.changes.newest()
	if v.readings > 0 {
		v.remember(rep)
	}
	v.readings++
	return rep
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return gatewaystate.Clip(gatewaystate.MaskURLs(err.Error()))
}

// note appends the reading to the window.
func (v *Observer) note(at time.Time, lines []Line, routes []counted, metrics bool) {
	s := sample{at: at, items: make(map[key]int64, len(lines)+8*len(routes)), residuals: map[key]int64{}, metrics: metrics}
	for i := range lines {
		s.items[lineKey(&lines[i])] += lines[i].Items
	}
	for i := range routes {
		n := &routes[i]
		for what, items := range n.numbers() {
			s.items[n.key(what)] = items
		}
		if n.knowsResidual {
			s.residuals[n.key("residual")] = n.residual
		}
	}
	v.window.add(s)
}

func lineKey(l *Line) key { return key{l.Signal, l.Component, l.What} }

func (n *counted) key(what string) key { return key{n.Signal, n.Exporter, "route " + what} }

func (n *counted) numbers() map[string]int64 {
	return map[string]int64{
		"in": n.in, "removed": n.removed, "sent": n.Sent.Items, "waiting": n.Waiting.Items, "aside": n.Aside.Items,
		"returned": n.Returned.Items, "lost": n.Lost.Items,
	}
}

// rates completes lines and routes with their growth.
func (v *Observer) rates(rep *Report, routes []counted) {
	w := &v.window
	for i := range rep.Lines {
		l := &rep.Lines[i]
		t := w.total(lineKey(l), l.Items)
		l.PerSecond, l.LastMinute = t.PerSecond, t.LastMinute
	}
	slices.SortStableFunc(rep.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Signal, b.Signal), cmp.Compare(a.Component, b.Component))
	})
	rep.Routes = make([]Route, 0, len(routes))
	sum, known := int64(0), false
	for i := range routes {
		n := &routes[i]
		route := n.Route
		if n.knowsIn {
			in, removed := w.total(n.key("in"), n.in), w.total(n.key("removed"), n.removed)
			route.In, route.Removed = &in, &removed
		}
		for what, t := range map[string]*Total{
			"sent": &route.Sent, "waiting": &route.Waiting, "aside": &route.Aside, "returned": &route.Returned, "lost": &route.Lost,
		} {
			*t = w.total(n.key(what), t.Items)
		}
		if n.knowsResidual {
			residual := w.residual(n.key("residual"))
			route.Residual = &residual
			sum, known = sum+residual, true
		}
		rep.Routes = append(rep.Routes, route)
	}
	if known {
		rep.Residual = &sum
	}
}

// components copies the components' state for viewers, with the offenders in a list of their own.
func (v *Observer) components(r *Reading, rep *Report) {
	for i := range r.Snapshot.States {
		s := &r.Snapshot.States[i]
		rep.Components = append(rep.Components, cleanState(*s))
		if s.Log != nil {
			v.changes.log(rep.At, s.Component, s.Log)
			rep.Times.ToFullSeconds = soonest(rep.Times.ToFullSeconds, s.Log.SecondsToFull)
			rep.Times.ToDrainedSeconds = latest(rep.Times.ToDrainedSeconds, s.Log.SecondsToDrained)
		}
		if s.Limiter == nil {
			continue
		}
		if s.Limiter.Cluster != nil {
			v.changes.cluster(rep.At, s.Component, s.Limiter.Cluster.State)
		}
		rep.Offenders = v.offenders(rep.Offenders, rep.At, s, s.Limiter.Offenders)
		rep.Keys = v.offenders(rep.Keys, rep.At, s, s.Limiter.Keys)
	}
	for _, all := range [][]Offender{rep.Offenders, rep.Keys} {
		slices.SortStableFunc(all, func(a, b Offender) int { return cmp.Compare(b.Wanted, a.Wanted) })
	}
}

// offenders appends those of one limiter.
func (v *Observer) offenders(all []Offender, at time.Time, s *gatewaystate.State, more []gatewaystate.Offender) []Offender {
	for k := range more {
		since := v.changes.offends(at, s.Component, s.Limiter.Window, &more[k])
		all = append(all, Offender{s.Component, since, cleanOffender(more[k], v.options.Examples)})
	}
	return all
}

func soonest(a, b *float64) *float64 {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

func latest(a, b *float64) *float64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// saved adds up what enforced limits keep away.
func (v *Observer) saved(rep *Report) {
	for i := range rep.Components {
		l := rep.Components[i].Limiter
		if l == nil {
			continue
		}
		for k := range l.Limits {
			limit := &l.Limits[k]
			if !limit.DryRun && limit.Counts == "series" && limit.Action != "tag" {
				rep.Saved.Series += limit.Refused
			}
		}
	}
	rep.Saved.Formula = "estimated distinct series without a place in the last half to full window, over all enforced limits on series"
	if v.options.CostPer1000 > 0 {
		cost := float64(rep.Saved.Series) / 1000 * v.options.CostPer1000
		rep.Saved.Cost = &cost
		rep.Saved.Formula += fmt.Sprintf("; cost = series / 1000 x %g", v.options.CostPer1000)
	}
}

func losing(rep *Report) bool {
	return slices.ContainsFunc(rep.Lines, func(l Line) bool { return l.Kind == Lost && l.LastMinute > 0 })
}

// unknown lists what the verdict does not cover.
func (v *Observer) unknown(r *Reading, rep *Report) []string {
	unknown := []string{}
	switch {
	case !v.options.SelfMetrics:
		unknown = append(unknown, "self_metrics is not set: what OTLP receivers refuse, memory_limiter refuses and other exporters lose is not known")
	case r.MetricsErr != nil:
		unknown = append(unknown, "self_metrics cannot be read: what OTLP receivers refuse, memory_limiter refuses and other exporters lose is not known")
	}
	for i := range rep.Routes {
		if n := &rep.Routes[i]; n.Unknown != "" && r.Metrics != nil {
			unknown = append(unknown, fmt.Sprintf("%s to %s: %s", n.Signal, n.Exporter, n.Unknown))
		}
	}
	return unknown
}

// refusing says why new data would be refused, empty if it is safe.
func (v *Observer) refusing(r *Reading) string {
	for i := range r.Snapshot.States {
		s := &r.Snapshot.States[i]
		if s.Log == nil {
			continue
		}
		if s.Log.Refuses != "" {
			return s.Component + ": " + clean(s.Log.Refuses)
		}
		for k := range s.Log.Signals {
			signal := s.Log.Signals[k].Signal
			n, _ := v.window.growth(key{signal, s.Component, units[signal] + " returned to the sender"}, readyAfter)
			if n > 0 {
				return fmt.Sprintf("%s returned %d %s in the last seconds", s.Component, n, units[signal])
			}
		}
	}
	for signal := range units {
		for _, id := range r.Metrics.Values(memoryRefused(signal), "processor") {
			if n, _ := v.window.growth(key{signal, clean(id), units[signal] + " refused for lack of memory"}, readyAfter); n > 0 {
				return clean(id) + " refuses data for lack of memory"
			}
		}
	}
	return ""
}

// remember adds the numbers of the strips to the history, in the order in which the page shows them. A name is that of
// the strip and that of the line in it.
func (v *Observer) remember(rep *Report) {
	add := func(strip, line string, value float64) { v.history.Add(rep.At, strip+": "+line, value) }
	for _, signal := range signals {
		v.rememberSignal(rep, signal, func(line string, value float64) { add(units[signal]+" per second", line, value) })
	}
	for i := range rep.Components {
		if c := &rep.Components[i]; c.Log != nil {
			add("bytes that wait in the local log", c.Component, float64(unread(c.Log)))
		}
	}
	add("metrics over a limit", "metrics", float64(len(rep.Offenders)))
	for i := range rep.Lines {
		if l := &rep.Lines[i]; l.Unit == "datagrams" && (l.Kind == In || l.Kind == Lost) {
			add("datagrams per second", l.What, l.PerSecond)
		}
	}
	if rep.Instance.MemoryBytes > 0 {
		add("memory of the gateway, bytes", "resident", float64(rep.Instance.MemoryBytes))
	}
	for i := range rep.Components { // the last: there may be more limits than the history has room for
		if c := &rep.Components[i]; c.Limiter != nil {
			for k := range c.Limiter.Limits {
				add("places in use under limits", c.Limiter.Limits[k].Name, float64(c.Limiter.Limits[k].Series))
			}
		}
	}
}

func (v *Observer) rememberSignal(rep *Report, signal string, add func(line string, value float64)) {
	in, known := 0.0, false
	for i := range rep.Lines {
		if l := &rep.Lines[i]; l.Signal == signal && l.Kind == In && l.Unit != "datagrams" {
			in, known = in+l.PerSecond, true
		}
	}
	if known {
		add("in", in)
	}
	for i := range rep.Routes {
		n := &rep.Routes[i]
		if n.Signal != signal {
			continue
		}
		if n.Removed != nil {
			add("removed on purpose before "+n.Exporter, n.Removed.PerSecond)
		}
		add("sent to "+n.Exporter, n.Sent.PerSecond)
		add("lost by "+n.Exporter, n.Lost.PerSecond)
	}
}
