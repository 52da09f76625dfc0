package cardinalitylimit

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
)

// One ID in two pipelines is two writers.
func TestTwoPipelinesAreTwoWriters(t *testing.T) {
	w := newProcessorNames()
	id := component.MustNewID("cardinalitylimit")
	a, b := w.acquire(id), w.acquire(id)
	require.Equal(t, "cardinalitylimit", a)
	require.Equal(t, "cardinalitylimit/2", b)
	w.release(a)
	require.Equal(t, a, w.acquire(id))
}
