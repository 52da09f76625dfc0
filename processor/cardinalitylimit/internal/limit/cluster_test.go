package limit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/cluster"
)

// answering is a Cluster that gives all strangers one answer and records its calls.
type answering struct {
	answer   cluster.Answer
	full     bool // too many renewals wait
	lost     bool // every series has lost its place
	asked    []cluster.Want
	finished []cluster.Want
	renewed  int
}

func (a *answering) Ask(wants []cluster.Want) {
	for i := range wants {
		wants[i].Answer = a.answer
	}
	a.asked = append(a.asked, wants...)
}

func (a *answering) Finish(wants []cluster.Want) { a.finished = append(a.finished, wants...) }

func (a *answering) Renew(cluster.Place, int) (noted bool) {
	a.renewed++
	return !a.full
}

func (a *answering) Lost(cluster.Place) bool { return a.lost }

func (a *answering) Shift() time.Duration { return 0 }

// clusterSet is a set whose places are shared, with a clock.
type clusterSet struct {
	*Set
	*answering
	now time.Time
}

func newClusterSet(t *testing.T, edit func(*Options), specs ...Spec) *clusterSet {
	r := &clusterSet{answering: &answering{answer: cluster.Admitted}, now: time.Unix(1e9, 0)}
	o := newSet(t).options
	o.Cluster, o.Now = r.answering, func() time.Time { return r.now }
	if edit != nil {
		edit(&o)
	}
	var err error
	r.Set, err = NewSet(specs, o)
	require.NoError(t, err)
	return r
}

// begin returns a cursor at a metric, and the attributes of a point.
func (r *clusterSet) begin(id string) (*Cursor, pcommon.Map) {
	c, m, attrs := r.Begin(headers{}), pmetric.NewMetric(), pcommon.NewMap()
	m.SetName("m")
	attrs.PutStr("id", id)
	c.Resource(pcommon.NewResource())
	c.Scope(pcommon.NewInstrumentationScope())
	c.Metric(m)
	return c, attrs
}

// offer decides on a point as the walk over a batch does, and returns the counts of the batch.
func (r *clusterSet) offer(id string, stale bool) (d Decision, counts map[Action]int64) {
	c, attrs := r.begin(id)
	defer c.End()
	c.ReadAgain(attrs)
	if !c.DecideKnown(&d, attrs, stale) {
		for c.Want(attrs, stale) && c.AskCluster() {
		}
		d = c.Decide(attrs, stale)
	}
	counts = make(map[Action]int64)
	c.Counts.Each(func(_ int, a Action, _ bool, points int64) { counts[a] += points })
	return d, counts
}

func dropOne(t *testing.T) Spec {
	return Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 10, Action: Drop}
}

// A series that the cluster admits has a place, and the cluster learns that the series uses it. A refused series has none.
func TestClusterAdmitsAndRefuses(t *testing.T) {
	r := newClusterSet(t, nil, dropOne(t))
	d, _ := r.offer("1", false)
	require.Equal(t, Pass, d.Action)
	require.Len(t, r.asked, 1)
	require.Len(t, r.finished, 1)
	require.True(t, r.finished[0].Entered)
	require.EqualValues(t, 1, r.Sweep()[0].Series)

	r.answer = cluster.Refused
	d, _ = r.offer("2", false)
	require.Equal(t, Drop, d.Action)
	require.Len(t, r.finished, 2)
	require.False(t, r.finished[1].Entered)
	d, _ = r.offer("1", false)
	require.Equal(t, Pass, d.Action, "it has a place here")
	require.Len(t, r.asked, 2)
}

// A stale point passes if the cluster knows its series, and takes no place. The question about it asks for no place, unless
// another point of the batch does.
func TestClusterAndStalePoints(t *testing.T) {
	r := newClusterSet(t, nil, dropOne(t))
	r.answer = cluster.Member
	d, _ := r.offer("1", true)
	require.Equal(t, Pass, d.Action)
	require.True(t, r.asked[0].Peek)
	require.Zero(t, r.Sweep()[0].Series)
	r.answer = cluster.Refused
	d, _ = r.offer("1", true)
	require.Equal(t, Drop, d.Action)

	c, attrs := r.begin("2")
	defer c.End()
	require.True(t, c.Want(attrs, true))
	require.True(t, c.Want(attrs, false))
	require.True(t, c.AskCluster())
	require.Len(t, r.asked, 3)
	require.False(t, r.asked[2].Peek)
}

// Want reads and changes nothing: neither the places nor the counts nor the cluster.
func TestWantChangesNothing(t *testing.T) {
	r := newClusterSet(t, nil, dropOne(t))
	_, _ = r.offer("1", false)
	r.now = r.now.Add(r.options.GenerationLength())
	c, attrs := r.begin("1")
	require.False(t, c.Want(attrs, false), "a member needs no answer")
	require.Zero(t, r.renewed)
	c.End()

	dry := dropOne(t)
	dry.DryRun = true
	r = newClusterSet(t, nil, dry)
	r.answer = cluster.Refused
	_, counts := r.offer("1", false)
	require.Equal(t, map[Action]int64{Pass: 1, Drop: 1}, counts)
}

// The doorkeeper of the keys that share a tracker does not learn of a point before the decision on it.
func TestWantLeavesTheDoorkeeperAlone(t *testing.T) {
	r := newClusterSet(t, func(o *Options) { o.MaxKeys, o.ContestedAt = 0, 0.1 }, dropOne(t))
	d, _ := r.offer("1", false)
	require.Equal(t, Pass, d.Action)
	c, attrs := r.begin("2")
	c.SetStamp(1)
	require.False(t, c.Want(attrs, false), "only shared places need an answer")
	require.Zero(t, c.Counts.Shared)
	c.End()
	r.now = r.now.Add(slotLength)
	c, attrs = r.begin("2")
	defer c.End()
	c.SetStamp(2)
	require.Equal(t, Drop, c.Decide(attrs, false).Action)
}

// A member is renewed once per generation. If the cluster cannot note that, the next point renews it again.
func TestClusterRenewals(t *testing.T) {
	r := newClusterSet(t, nil, dropOne(t))
	_, _ = r.offer("1", false)
	r.now, r.full = r.now.Add(r.options.GenerationLength()), true
	for range 2 {
		d, _ := r.offer("1", false)
		require.Equal(t, Pass, d.Action)
	}
	require.Equal(t, 2, r.renewed)
	r.full = false
	for range 2 {
		_, _ = r.offer("1", false)
	}
	require.Equal(t, 3, r.renewed)
	require.Len(t, r.asked, 1)
}

// A member that the cluster has refused meanwhile is asked about again in the next generation.
func TestPlaceLostInTheCluster(t *testing.T) {
	r := newClusterSet(t, nil, dropOne(t))
	_, _ = r.offer("1", false)
	r.lost, r.answer = true, cluster.Refused
	d, _ := r.offer("1", false)
	require.Equal(t, Pass, d.Action)
	r.now = r.now.Add(r.options.GenerationLength())
	d, _ = r.offer("1", false)
	require.Equal(t, Drop, d.Action)
	require.Len(t, r.asked, 2)
}

// The store counts whole milliseconds.
func TestGenerationLength(t *testing.T) {
	o := newSet(t).options
	o.Window = 3*time.Second + 3
	assert.Equal(t, 1500*time.Millisecond+1, o.GenerationLength())
	o.Cluster = &answering{}
	assert.Equal(t, 1500*time.Millisecond, o.GenerationLength())
}
