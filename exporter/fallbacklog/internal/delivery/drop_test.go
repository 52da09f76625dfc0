package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// Items that a policy drops are counted when they are dropped. At every moment of an outage, and after a stop, the acknowledged
// items are delivered, in the log, in the dead letter, or counted as dropped.
func TestLedgerOfEachPolicyUnderRandomOutages(t *testing.T) {
	for name, policy := range map[string]OnFull{"reject": Reject, "drop_oldest": DropOldest, "drop_newest": DropNewest} {
		dropped := 0
		for seed := range uint64(20) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { dropped += ledgerOf(t, policy, seed) })
			})
		}
		if policy == Reject {
			assert.Zero(t, dropped)
		} else {
			assert.Positive(t, dropped, name)
		}
	}
}

// ledgerOf runs several outages and returns the number of dropped items.
func ledgerOf(t *testing.T, policy OnFull, seed uint64) (dropped int) {
	dice := newDice(seed, 11)
	var (
		mu   sync.Mutex
		mood int
		took = map[string]bool{}
	)
	answer := func(ctx context.Context, name string) error {
		mu.Lock()
		mood := mood
		mu.Unlock()
		switch {
		case strings.Contains(name, "bad"):
			return errRefused
		case mood == 1 || mood == 2 && dice.below(3) > 0:
			return errAway
		case mood == 3:
			<-ctx.Done()
			return ctx.Err()
		}
		mu.Lock()
		defer mu.Unlock()
		for n := range strings.FieldsSeq(name) {
			assert.False(t, took[n], "nothing twice")
			took[n] = true
		}
		return nil
	}
	dir := t.TempDir()
	open := func(in string) *stand {
		var log *segment.Log
		s := newStandOver(t, answer, func(large *segment.Log) Log {
			require.NoError(t, large.Close())
			var err error
			log, err = segment.Open(segment.Options{
				Dir: in, Kind: segment.Kind{Extension: ".jsonl", Format: record.Lines{}},
				Budget: &segment.Budget{Max: 1 << 13}, MaxSegmentBytes: 1 << 11, Sync: segment.SyncNone,
			})
			require.NoError(t, err)
			return NewLog(log)
		}, permanentIfRefused, func(set *standSettings) {
			set.OnFull, set.Concurrency, set.CoalesceBytes = policy, 1+int(seed%3), 1<<12
			set.Strict = seed%4 == 3
		})
		s.log, s.dir = log, in
		return s
	}
	s := open(dir)
	acknowledged, sent := 0, 0
	balanced := func(when string) {
		t.Helper()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		accounted := 2*len(took) + s.sums.sum(&s.sums.deadLettered, &s.sums.dropped)
		dead := s.namesIn(t, s.dead)
		for _, name := range s.logged(t) {
			if !took[name] && !slices.Contains(dead, name) {
				accounted += 2 // in the log
			}
		}
		s.window.mu.Lock()
		defer s.window.mu.Unlock()
		for _, p := range s.window.records {
			if p.segmentDropped {
				accounted += p.items // its segment is dropped while the downstream decides about it
			}
		}
		require.Equal(t, acknowledged, accounted, when)
	}
	for phase := range 10 {
		mu.Lock()
		mood = dice.below(4)
		mu.Unlock()
		for range dice.below(60) {
			name := fmt.Sprint("batch", sent)
			if dice.below(20) == 0 {
				name += "bad"
			}
			sent++
			if s.Consume(context.Background(), s.batch(name)) == nil {
				acknowledged += 2
			}
			if dice.below(5) == 0 {
				balanced(fmt.Sprint("phase ", phase))
			}
		}
		time.Sleep(time.Duration(1+dice.below(100)) * time.Second)
	}
	s.stop(t)
	balanced("stopped")
	dropped = s.sums.sum(&s.sums.dropped)
	deadLettered := s.sums.sum(&s.sums.deadLettered)
	mu.Lock()
	mood = 0
	mu.Unlock()
	s = open(dir)
	time.Sleep(24 * time.Hour)
	synctest.Wait()
	assert.True(t, s.log.Empty())
	assert.Equal(t, acknowledged, 2*len(took)+deadLettered+s.sums.sum(&s.sums.deadLettered)+dropped, "a good downstream has the rest")
	s.stop(t)
	return dropped
}
