package cardinalitylimit

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/cluster"
)

// answers are the names of the decisions on new series.
var answers = [...]string{cluster.Refused: "refused", cluster.Member: "member", cluster.Admitted: "admitted", cluster.Alone: "alone"}

// registerCluster registers the metrics about the cluster.
func (t *telemetry) registerCluster(g *cluster.Gateway) error {
	value := func(read func(*cluster.Stats) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			s := g.Stats()
			o.Observe(read(&s), t.common)
			return nil
		}
	}
	b := t.builder
	return errors.Join(
		b.RegisterProcessorCardinalitylimitClusterStateCallback(value(func(s *cluster.Stats) int64 { return int64(s.State) })),
		b.RegisterProcessorCardinalitylimitClusterGatewaysCallback(value(func(s *cluster.Stats) int64 { return int64(s.Gateways) })),
		b.RegisterProcessorCardinalitylimitClusterExchangesCallback(value(func(s *cluster.Stats) int64 { return s.Exchanges })),
		b.RegisterProcessorCardinalitylimitClusterLossesCallback(value(func(s *cluster.Stats) int64 { return s.Losses })),
		b.RegisterProcessorCardinalitylimitClusterLostPlacesCallback(value(func(s *cluster.Stats) int64 { return s.Lost })),
		b.RegisterProcessorCardinalitylimitClusterUnaskedCallback(value(func(s *cluster.Stats) int64 { return s.Unasked })),
		b.RegisterProcessorCardinalitylimitClusterWaitCallback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(g.Stats().Waited.Seconds(), t.common)
			return nil
		}),
		b.RegisterProcessorCardinalitylimitClusterFailuresCallback(func(_ context.Context, o metric.Int64Observer) error {
			s := g.Stats()
			for reason, n := range s.Failures {
				o.Observe(n, metric.WithAttributes(attribute.String("reason", cluster.Reason(reason).String()), t.processor))
			}
			return nil
		}),
		b.RegisterProcessorCardinalitylimitClusterNewSeriesCallback(func(_ context.Context, o metric.Int64Observer) error {
			s := g.Stats()
			for answer, n := range s.Answers {
				o.Observe(n, metric.WithAttributes(attribute.String("answer", answers[answer]), t.processor))
			}
			return nil
		}),
		b.RegisterProcessorCardinalitylimitClusterSeriesCallback(func(_ context.Context, o metric.Int64Observer) error {
			for i, n := range g.Series() {
				o.Observe(n, metric.WithAttributes(attribute.String("limit", t.set.Name(i)), t.processor))
			}
			return nil
		}),
	)
}

// clusterState returns the state of the cluster for the gateway page, or nil without a cluster.
func (p *limiter) clusterState() *gatewaystate.Cluster {
	if p.gateway == nil {
		return nil
	}
	s := p.gateway.Stats()
	c := &gatewaystate.Cluster{
		State: s.State.String(), Gateways: s.Gateways, LostPlaces: s.Lost, Losses: s.Losses,
		Admitted: s.Answers[cluster.Admitted], Members: s.Answers[cluster.Member],
		Refused: s.Answers[cluster.Refused], Alone: s.Answers[cluster.Alone],
	}
	for _, n := range s.Failures {
		c.Failures += n
	}
	for i, n := range p.gateway.Series() {
		c.Limits = append(c.Limits, gatewaystate.ClusterLimit{Name: gatewaystate.Clip(p.set.Name(i)), Series: n})
	}
	return c
}
