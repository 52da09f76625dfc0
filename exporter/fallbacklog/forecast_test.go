package fallbacklog

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

func TestForecast(t *testing.T) {
	f := newForecast(1000)
	now := time.Unix(0, 0)
	tick := func(unread int64) {
		now = now.Add(time.Second)
		f.note(now, unread, unread+100)
	}
	drained, ok := f.drained()
	assert.True(t, ok)
	assert.Zero(t, drained)
	_, ok = f.full()
	assert.False(t, ok, "nothing grows")
	for i := range int64(31) {
		tick(10 * i)
	}
	full, ok := f.full()
	assert.True(t, ok)
	assert.InDelta(t, (1000-100-300)/10, full, 1e-9)
	_, ok = f.drained()
	assert.False(t, ok, "it grows")
	for range 200 {
		tick(400)
	}
	_, ok = f.full()
	assert.False(t, ok, "it stays as it is")
	_, ok = f.drained()
	assert.False(t, ok)
	for i := range int64(61) {
		tick(400 - 5*i)
	}
	drained, ok = f.drained()
	assert.True(t, ok)
	assert.InDelta(t, 100/5, drained, 1e-9)
	for range 3 {
		tick(0)
	}
	drained, ok = f.drained()
	assert.True(t, ok)
	assert.Zero(t, drained)
}

// A disk that others fill, or that is smaller than max_disk_mib, is full before the logs have reached max_disk_mib.
func TestForecastOnAShortDisk(t *testing.T) {
	f := newForecast(1 << 30)
	now := time.Unix(0, 0)
	for i := range int64(31) {
		now = now.Add(time.Second)
		f.note(now, 10*i, 10*i)
		f.noteFree(now, 1000-20*i)
	}
	full, ok := f.full()
	assert.True(t, ok)
	assert.InDelta(t, (1000-20*30)/20, full, 1e-9)
}

// seconds returns a floating-point gauge. ok is false while it has no point.
func (g *gateway) seconds(name string) (v float64, ok bool) {
	for _, p := range harness.Points[float64](g.t, g.tel.Reader, "otelcol_exporter_fallbacklog_"+name) {
		return p.Value, true
	}
	return 0, false
}

// In an outage seconds_to_full has a value. Afterwards it is absent and seconds_to_drained is 0.
func TestSecondsToFullAndDrained(t *testing.T) {
	b := newBackend(t)
	b.refuse(codes.Unavailable)
	g := startGateway(t, newTestHost(), loadConfig(t, testSettings(t.TempDir()), grpcTo(b)))
	i := 0
	eventually(t, func() bool {
		i++
		require.NoError(t, g.logs.ConsumeLogs(context.Background(), makeLogs(fmt.Sprint(i), 1)))
		full, ok := g.seconds("seconds_to_full")
		return ok && full > 0
	}, "it fills")
	b.set(nil)
	eventually(t, func() bool {
		drained, ok := g.seconds("seconds_to_drained")
		return ok && drained == 0 && g.sum("segments") == 0
	}, "it is drained")
}
