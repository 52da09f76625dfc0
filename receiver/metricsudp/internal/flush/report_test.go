package flush

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

func TestReport(t *testing.T) {
	r := newRig(t, nil)
	r.sources[0].drops = 1<<32 - 2
	r.send(0, "a:1|c\nbad")
	r.send(1, "a:1|c\nworse\nb:x|c")
	r.flushAt(5)
	r.sources[0].drops = 3 // the kernel's counter wrapped
	r.sources[1].drops = 4
	r.flushAt(10)
	require.NoError(t, r.stop(context.Background(), 15))
	require.Len(t, r.reports, 3)
	first, second := r.reports[0], r.reports[1]
	assert.Equal(t, uint64(2), first.Stats.Lines[line.Counter])
	assert.Equal(t, uint64(2), first.Stats.Rejected[line.NoValue])
	assert.Equal(t, []Example{{line.NoValue, "bad"}, {line.BadValue, "b:x|c"}}, first.Examples)
	assert.Equal(t, 1, first.Series)
	assert.Equal(t, 2, first.Aliases)
	assert.Equal(t, 4096, first.BufferBytes)
	assert.Equal(t, uint64(5+4), second.KernelDrops)
	assert.Zero(t, second.Stats)
	assert.Empty(t, second.Examples)
}
