package e2e

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestClusterStoreKilledBetweenGenerations: the store is killed shortly before a generation begins and is back, empty, when
// the next one has begun, several times. Who has a place and goes on sending keeps it at every gateway, every point arrives
// once, and no more series get a place than the page about scaling says.
func TestClusterStoreKilledBetweenGenerations(t *testing.T) {
	const generation = 5 * time.Second
	r := newClusterRun(t, 3, `processors: {cardinalitylimit: {window: {duration: 10s, generations: 2}}}`)
	ids := make([]int, clusterLimit)
	for i := range ids {
		ids[i] = i
	}
	rounds := int64(0)
	// round has all incumbents report once at each gateway.
	round := func() {
		for first := 0; first < len(ids); first += 50 {
			for _, m := range r.members {
				r.send(m, "requests", ids[first:first+50])
			}
		}
		rounds++
	}
	strangers := clusterLimit
	offer := func() {
		more := make([]int, 50)
		for i := range more {
			more[i] = strangers + i
		}
		strangers += len(more)
		for _, m := range r.members {
			r.send(m, "requests", more)
		}
	}
	// until has incumbents report until a condition is true. The store's clock is this machine's.
	until := func(what string, reached func() bool) {
		pace := time.NewTicker(200 * time.Millisecond)
		defer pace.Stop()
		for deadline := time.Now().Add(patience); !reached(); <-pace.C {
			require.True(t, time.Now().Before(deadline), what)
			round()
		}
	}
	number := func() int64 { return time.Now().UnixMilli() / generation.Milliseconds() }
	joined := func() bool {
		for _, m := range r.members {
			if m.own("otelcol_processor_cardinalitylimit_cluster_state") != 0 {
				return false
			}
		}
		return true
	}

	round()
	require.Len(t, r.settled("requests").passed, clusterLimit)
	for kill := range 3 {
		until("a generation is nearly over", func() bool { return time.Now().UnixMilli()%generation.Milliseconds() > generation.Milliseconds()*4/5 })
		at := number()
		r.store.Kill()
		until("the next generation", func() bool { return number() > at })
		offer()
		if kill > 0 { // the second and the third time, two generations begin without a store
			until("the one after it", func() bool { return number() > at+1 })
			offer()
		}
		r.store.Restart()
		until("the store is back", joined)
		offer()
		at = number()
		until("the generation after", func() bool { return number() > at })
		offer()
	}
	a := r.settled("requests")
	refused := int64(0)
	for i := range ids {
		refused += 3*rounds - a.passed[strconv.Itoa(i)]
	}
	t.Logf("%d rounds; %d of %d series have had a place; %d points of incumbents refused; sent %d, arrived %d; losses noticed: %v",
		rounds, len(a.passed), strangers, refused, r.sent["requests"], a.sum, r.members[0].own("otelcol_processor_cardinalitylimit_cluster_losses_total"))
	assert.Zero(t, refused, "incumbents were refused")
	assert.LessOrEqual(t, len(a.passed), 2*clusterLimit)
	assert.Equal(t, r.sent["requests"], a.sum)
}
