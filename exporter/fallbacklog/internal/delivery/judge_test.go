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

// What has failed while others passed is no sign of an outage, and what may be about the data is one once in a batch's
// life: neither opens the breaker.
func TestWhatTheBreakerCounts(t *testing.T) {
	network := failure.Failure{Class: failure.Network, Kind: failure.RetryableKind}
	about := failure.Failure{Class: failure.Unknown, Code: "500", Kind: failure.RetryableKind, AboutData: true}
	for _, tc := range []struct {
		trial trial
		want  breaker.State
	}{
		{trial{failure: network}, breaker.Open},
		{trial{failure: network, suspect: true}, breaker.Closed},
		{trial{failure: network, counted: true}, breaker.Open},
		{trial{failure: about}, breaker.Open},
		{trial{failure: about, counted: true}, breaker.Closed},
		{trial{failure: about, suspect: true}, breaker.Closed},
		{trial{failure: failure.Failure{Class: failure.Auth, Kind: failure.SharedKind}, first: true}, breaker.Closed},
	} {
		t.Run(fmt.Sprint(tc.trial), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStand(t, func(context.Context, string) error { return nil })
				for range 3 {
					p, reason := s.allow(true)
					assert.Empty(t, reason)
					s.judge(p, tc.trial)
				}
				assert.Equal(t, tc.want, s.group.breaker.State())
				s.stop(t)
			})
		})
	}
}

// Five first refusals in a row make the signal wait, whatever kind they are of; a refusal of the same batch again does not
// count, and a success begins anew.
func TestRuleOfFive(t *testing.T) {
	kinds := []failure.Kind{failure.SharedKind, failure.BatchKind}
	refuse := func(s *stand, n int, first bool) (last verdict) {
		for i := range n {
			p, reason := s.allow(true)
			assert.Empty(t, reason)
			err := errors.New("refused")
			s.lastRefusal.Store(&err)
			last = s.judge(p, trial{failure: failure.Failure{Kind: kinds[i%2]}, first: first})
		}
		return last
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, func(context.Context, string) error { return nil })
		refuse(s, 4, true)
		refuse(s, 20, false)
		assert.Equal(t, breaker.Closed, s.refusals.State())
		p, _ := s.allow(true)
		p.success()
		refuse(s, 4, true)
		assert.Equal(t, breaker.Closed, s.refusals.State())
		assert.Equal(t, waiting, refuse(s, 1, true), "the fifth waits, whatever kind it is of")
		assert.Equal(t, breaker.Open, s.refusals.State())
		_, reason := s.allow(true)
		assert.Equal(t, ReasonSystemic, reason)
		s.stop(t)
	})
}
