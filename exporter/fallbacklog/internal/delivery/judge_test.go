package delivery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// Two failures do not open the breaker: one of data that failed before while others passed, and a second one per batch that may
// be about the data.
func TestWhatTheBreakerCounts(t *testing.T) {
	network := failure.Failure{Class: failure.Network, Kind: failure.RetryableKind}
	about := failure.Failure{Class: failure.Unknown, Code: "500", Kind: failure.RetryableKind, AboutData: true}
	for _, tc := range []struct {
		failedAttempt failedAttempt
		want          breaker.State
	}{
		{failedAttempt{failure: network}, breaker.Open},
		{failedAttempt{failure: network, suspect: true}, breaker.Closed},
		{failedAttempt{failure: network, countedByBreaker: true}, breaker.Open},
		{failedAttempt{failure: about}, breaker.Open},
		{failedAttempt{failure: about, countedByBreaker: true}, breaker.Closed},
		{failedAttempt{failure: about, suspect: true}, breaker.Closed},
		{failedAttempt{failure: failure.Failure{Class: failure.Auth, Kind: failure.SharedKind}, neverRefused: true}, breaker.Closed},
	} {
		t.Run(fmt.Sprint(tc.failedAttempt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStand(t, func(context.Context, string) error { return nil })
				for range 3 {
					p, reason := s.allow(true)
					assert.Empty(t, reason)
					s.judge(p, tc.failedAttempt)
				}
				assert.Equal(t, tc.want, s.group.breaker.State())
				s.stop(t)
			})
		})
	}
}

// Five consecutive first refusals of any kind make the signal wait. A second refusal of the same batch does not count. A
// success restarts the count.
func TestRuleOfFive(t *testing.T) {
	kinds := []failure.Kind{failure.SharedKind, failure.BatchKind}
	refuse := func(s *stand, n int, first bool) (last verdict) {
		for i := range n {
			p, reason := s.allow(true)
			assert.Empty(t, reason)
			err := errors.New("refused")
			s.lastRefusal.Store(&err)
			last = s.judge(p, failedAttempt{failure: failure.Failure{Kind: kinds[i%2]}, neverRefused: first})
		}
		return last
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, func(context.Context, string) error { return nil })
		refuse(s, 4, true)
		refuse(s, 20, false)
		assert.Equal(t, breaker.Closed, s.refusalBreaker.State())
		p, _ := s.allow(true)
		p.success()
		refuse(s, 4, true)
		assert.Equal(t, breaker.Closed, s.refusalBreaker.State())
		assert.Equal(t, refusedForNow, refuse(s, 1, true), "the fifth waits, whatever kind it is of")
		assert.Equal(t, breaker.Open, s.refusalBreaker.State())
		_, reason := s.allow(true)
		assert.Equal(t, ReasonSystemic, reason)
		s.stop(t)
	})
}
