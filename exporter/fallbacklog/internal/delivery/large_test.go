package delivery

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const largeItems = 16

// partOf returns the range of items in a request of one record with largeItems.
func partOf(t *testing.T, name string) (from, to int) {
	t.Helper()
	if _, part, ok := strings.Cut(name, "["); ok {
		_, err := fmt.Sscanf(part, "%d:%d]", &from, &to)
		assert.NoError(t, err)
		return from, to
	}
	return 0, largeItems
}

// largeOutage logs records of largeItems while the downstream is away. Then answer decides on each part of them.
func largeOutage(t *testing.T, records int, answer func(from, to int) error) (s *stand, requests *guarded[string]) {
	t.Helper()
	requests = &guarded[string]{}
	var away atomic.Bool
	s = outage(t, nil, func(_ context.Context, name string) error {
		if away.Load() {
			return errAway
		}
		requests.add(name)
		return answer(partOf(t, name))
	})
	away.Store(true)
	for i := range records {
		require.NoError(t, s.Consume(context.Background(), &testBatch{name: fmt.Sprint(i), items: largeItems, answer: s.answer}))
	}
	away.Store(false)
	return s, requests
}

// A record that is too large arrives in parts, each item once. The next record uses the size that passed.
func TestTooLargeGoesInParts(t *testing.T) {
	for name, refusal := range map[string]error{"413": answeredWith(413), "ResourceExhausted": status.Error(codes.ResourceExhausted, "")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				items := map[int]int{}
				s, requests := largeOutage(t, 2, func(from, to int) error {
					if to-from > 5 {
						return refusal
					}
					for i := from; i < to; i++ {
						items[i]++
					}
					return nil
				})
				time.Sleep(time.Hour)
				synctest.Wait()
				assert.True(t, s.log.Empty())
				assert.Equal(t, 2*largeItems, s.sums.sum(&s.sums.replayed))
				assert.Zero(t, s.sums.sum(&s.sums.deadLettered))
				assert.Len(t, items, largeItems)
				for item, times := range items {
					assert.Equal(t, 2, times, "item %d, of two records", item)
				}
				if name == "413" {
					assert.Len(t, requests.all(), 2+2*largeItems/4, "16 and 8 items of the first record are refused, none of the second")
				}
				s.stop(t)
			})
		})
	}
}

// Only the single item that is too large goes to the dead letter.
func TestOneItemIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := largeOutage(t, 1, func(from, to int) error {
			if from <= 5 && 5 < to {
				return answeredWith(413)
			}
			return nil
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.True(t, s.log.Empty())
		assert.Equal(t, largeItems-1, s.sums.sum(&s.sums.replayed))
		assert.Equal(t, 1, s.sums.sum(&s.sums.deadLettered))
		assert.Equal(t, []string{"0[5:6]"}, s.namesIn(t, s.dead))
		require.Len(t, s.sums.causes(), 1)
		require.ErrorContains(t, s.sums.causes()[0], "refused", "the answer is kept, though the last part has passed")
		s.stop(t)
	})
}

// Five records without an accepted item mean that the downstream is at fault: the fifth does not go to the dead letter.
func TestNothingIsSmallEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var well atomic.Bool
		s, _ := largeOutage(t, 8, func(int, int) error {
			if well.Load() {
				return nil
			}
			return answeredWith(413)
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, (fiveRefusals-1)*largeItems, s.sums.sum(&s.sums.deadLettered))
		assert.False(t, s.log.Empty())
		well.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.True(t, s.log.Empty())
		assert.Equal(t, 8*largeItems, s.sums.sum(&s.sums.deadLettered, &s.sums.replayed))
		s.stop(t)
	})
}
