package cardinalitylimit

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// tally contains the counts of the processor's metrics, for the gateway page.
type tally struct {
	actions [limit.Drop + 1]atomic.Int64
	wouldBe atomic.Int64 // points that a dry run would have changed
	emitted atomic.Int64
	folded  [fold.StatCount]atomic.Int64
}

func (t *tally) decided(a limit.Action, dryRun bool, points int64) {
	switch {
	case !dryRun:
		t.actions[a].Add(points)
	case a != limit.Pass:
		t.wouldBe.Add(points)
	}
}

// GatewayState implements gatewaystate.Source. Limits and offenders are those of the last measurement.
func (p *limiter) GatewayState() gatewaystate.State {
	t := p.telemetry
	n := &t.tally
	l := &gatewaystate.Limiter{
		DryRun: p.cfg.Mode == modeDryRun, Window: p.cfg.Window.Duration,
		Points: gatewaystate.LimiterPoints{
			Passed: n.actions[limit.Pass].Load(), Tagged: n.actions[limit.Tag].Load(), Stripped: n.actions[limit.Strip].Load(),
			Overflowed: n.actions[limit.Overflow].Load(), Dropped: n.actions[limit.Drop].Load(),
			WouldBe: n.wouldBe.Load(), Emitted: n.emitted.Load(),
		},
		MemoryBytes: t.memory.Used(), MemoryLimitBytes: int64(p.cfg.Tracker.MemoryLimitMiB) << 20, Refusals: t.memory.Refused(),
		Cluster: p.clusterState(),
	}
	for stat, reason := range dropReasons {
		if items := n.folded[stat].Load(); items > 0 {
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
