package cardinalitylimit

import (
	"cmp"
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// points returns the number of points by action, and the number of points that a dry run would have changed.
func (t *telemetry) points() (n gatewaystate.LimiterPoints) {
	for i := range t.enforced {
		byAction := &t.enforced[i]
		n.Passed += byAction[limit.Pass].Total()
		n.Tagged += byAction[limit.Tag].Total()
		n.Stripped += byAction[limit.Strip].Total()
		n.Overflowed += byAction[limit.Overflow].Total()
		n.Dropped += byAction[limit.Drop].Total()
		for a := limit.Pass + 1; a <= limit.Drop; a++ {
			n.WouldBe += t.dry[i][a].Total()
		}
	}
	n.Emitted = t.emitted.Total()
	return n
}

// GatewayState implements gatewaystate.Source. Limits and offenders are those of the last measurement.
func (p *limiter) GatewayState() gatewaystate.State {
	t := p.telemetry
	l := &gatewaystate.Limiter{
		DryRun: p.cfg.Mode == modeDryRun, Window: p.cfg.Window.Duration,
		Points:      t.points(),
		MemoryBytes: t.memory.Used(), MemoryLimitBytes: int64(p.cfg.Tracker.MemoryLimitMiB) << 20, Refusals: t.memory.Refused(),
		Cluster: p.clusterState(),
	}
	for stat, reason := range dropReasons {
		if items := t.folded[stat].Total(); items > 0 && !l.DryRun {
			l.Dropped = append(l.Dropped, gatewaystate.Count{Reason: reason, Items: items})
		}
	}
	slices.SortFunc(l.Dropped, func(a, b gatewaystate.Count) int { return cmp.Compare(a.Reason, b.Reason) })
	if m := t.measured.Load(); m != nil {
		l.MeasuredAt = m.at
		for i := range m.usage {
			l.Limits = append(l.Limits, p.limitState(i, m))
		}
		for i := range m.over.Top {
			l.Offenders = append(l.Offenders, p.offenderState(&m.over.Top[i]))
		}
		for i := range m.over.Keys {
			l.Keys = append(l.Keys, p.offenderState(&m.over.Keys[i]))
		}
	}
	return gatewaystate.State{Component: p.name, Limiter: l}
}

func (p *limiter) limitState(i int, m *measurement) gatewaystate.Limit {
	u := &m.usage[i]
	action, dryRun := p.set.Action(i)
	state := gatewaystate.Limit{
		Name: gatewaystate.Clip(u.Limit), Action: action.String(), DryRun: dryRun || p.cfg.Mode == modeDryRun, Counts: p.counts(i),
		Max: int64(u.Max), Series: u.Series, Keys: u.Keys, Near: u.Near,
		Refused: m.over.Refused[i],
	}
	if len(u.Fullest) > 0 {
		state.Fullest, state.FullestShare = gatewaystate.Clip(u.Fullest[0].Key), u.Fullest[0].Share()
	}
	return state
}

func (p *limiter) counts(limit int) string {
	if p.set.CountsValues(limit) {
		return "values"
	}
	return "series"
}

func (p *limiter) offenderState(o *offenders.Offender) gatewaystate.Offender {
	action, dryRun := p.set.Action(o.Limit)
	state := gatewaystate.Offender{
		Limit: gatewaystate.Clip(p.set.Name(o.Limit)), Action: action.String(), DryRun: dryRun || p.cfg.Mode == modeDryRun,
		Metric: o.Metric, Key: o.Key, Counts: p.counts(o.Limit),
		Wanted: o.Wanted(), Admitted: o.Used, Max: o.Max,
	}
	for i := range o.Labels {
		l := &o.Labels[i]
		state.Labels = append(state.Labels, gatewaystate.Label{Name: l.Name, Values: l.Values, Examples: slices.Clone(l.Examples)})
	}
	state.WhatIf = p.whatIf(o)
	return state
}
