package delivery

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// What has failed while others passed is no sign of an outage: it opens no breaker, and keeps none open.
func TestSuspectsDoNotOpenTheBreaker(t *testing.T) {
	for _, f := range []failure.Failure{{Class: failure.Network, Retryable: true}, {Class: failure.Opaque}} {
		for suspect, want := range map[bool]breaker.State{true: breaker.Closed, false: breaker.Open} {
			t.Run(fmt.Sprint(f.Class, suspect), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStand(t, func(context.Context, string) error { return nil })
					for range 3 {
						p, not := s.allow(true)
						assert.Empty(t, not)
						s.judge(p, f, false, true, suspect)
					}
					assert.Equal(t, want, s.group.breaker.State())
					s.stop(t)
				})
			})
		}
	}
}
