package delivery

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Shutdown does not log a call that has not reached the wrapped exporter: its own caller does.
func TestShutdownLogsOnlyWhatTheExporterHas(t *testing.T) {
	cs := newCalls()
	out, in := cs.enter(&testBatch{items: 1}), cs.enter(nil)
	require.True(t, out.begin(3))
	cs.close()
	assert.Nil(t, cs.enter(nil))
	batches, items, errs := cs.logUnreturned(func(_ Batch, attempts int) error {
		assert.Equal(t, 3, attempts)
		return nil
	})
	assert.Equal(t, []int{1, 1}, []int{batches, items})
	assert.Empty(t, errs)
	assert.False(t, in.begin(1), "no attempt any more")
	select {
	case <-cs.idle:
		t.Fatal("one call has not returned")
	default:
	}
	cs.exit(in)
	<-cs.idle
	logged, err := out.end()
	require.NoError(t, err)
	assert.True(t, logged)
	cs.exit(out)
}
