package limit

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func namesOf(expressions ...string) (names Names) {
	for _, e := range expressions {
		names = append(names, regexp.MustCompile("^(?:"+e+")$"))
	}
	return names
}

func newRuleSet(t *testing.T, rule Rule, specs ...Spec) *Set {
	o := newSet(t).options
	o.Rules = []Rule{rule}
	s, err := NewSet(specs, o)
	require.NoError(t, err)
	return s
}

// The streams beyond max_streams are folded into the overflow series of the rule. Their first values do not count.
func TestFullRule(t *testing.T) {
	s := newRuleSet(t, Rule{Labels: Selection{Names: namesOf("user")}, MaxStreams: 1})
	first := decide(s, nil, "", "", "m", "user", "1", "route", "/")
	require.Equal(t, Decision{
		Action: Pass, Limit: -1, Rule: 0, Stream: first.Stream, Target: first.Target, Group: first.Group, Metric: first.Metric,
	}, first)
	second := decide(s, nil, "", "", "m", "user", "2", "route", "/")
	require.Equal(t, Overflow, second.Action)
	require.Zero(t, second.Rule)
	require.True(t, second.Baseline)
	require.Equal(t, first.Group, second.Group)
	require.NotEqual(t, first.Target, second.Target)
	require.Equal(t, second.Target, decide(s, nil, "", "", "m", "user", "3", "route", "/other").Target)
}

// The overflow series of a rule are different streams for different resources, under a limit that comes later.
func TestOverflowSeriesOfARuleTakePlaces(t *testing.T) {
	s := newRuleSet(t, Rule{MaxStreams: 1, Labels: Selection{Names: namesOf("user")}},
		Spec{Name: "l", Key: []Part{}, Streams: true, MaxSeries: 10, Action: Drop})
	for _, resource := range []string{"a", "a", "b", "c"} {
		decide(s, nil, resource, "", "m", "user", "1")
		decide(s, nil, resource, "", "m", "user", "2")
	}
	// The first stream, which the rule has room for, and the overflow series of three resources.
	require.EqualValues(t, 4, s.Sweep()[1].Series)
}

// A rule that keeps some labels keeps the mark, too.
func TestRuleKeepsTheMark(t *testing.T) {
	s := newRuleSet(t, Rule{Labels: Selection{Names: namesOf("route"), Keep: true}, MaxStreams: 10})
	c := s.Begin(headers{})
	defer c.End()
	c.Resource(pcommon.NewResource())
	c.Scope(pcommon.NewInstrumentationScope())
	c.Metric(pmetric.NewMetric())
	require.True(t, c.HasRule())
	require.True(t, c.Drops("user"))
	require.False(t, c.Drops("route"))
	require.False(t, c.Drops(Mark))
}

// Two tagging limits leave two series under a rule.
func TestRuleAndTags(t *testing.T) {
	tag := func(metric string) Spec {
		return Spec{Name: metric, Key: parts(t, "metric.name"), MaxSeries: 1, Action: Tag, Match: Match{Metrics: namesOf(metric)}}
	}
	s := newRuleSet(t, Rule{Labels: Selection{Names: namesOf("user")}, MaxStreams: 10}, tag("m"))
	first := decide(s, nil, "", "", "m", "route", "1")
	require.Equal(t, Pass, first.Action)
	tagged := decide(s, nil, "", "", "m", "route", "2")
	require.Equal(t, Tag, tagged.Action)
	s.options.Now = func() time.Time { return time.Unix(1e9, 0).Add(2 * time.Hour) }
	passed := decide(s, nil, "", "", "m", "route", "2")
	require.Equal(t, Pass, passed.Action)
	require.NotEqual(t, passed.Target, tagged.Target)
}
