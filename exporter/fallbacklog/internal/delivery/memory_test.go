package delivery

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// countingLog counts the bytes that replay has read and not marked as done.
type countingLog struct {
	*segment.Log
	records, bytes, most, mostRecords atomic.Int64
}

func (h *countingLog) Next() (segment.Entry, bool, error) {
	e, ok, err := h.Log.Next()
	if ok {
		h.mostRecords.Store(max(h.mostRecords.Load(), h.records.Add(1)))
		h.most.Store(max(h.most.Load(), h.bytes.Add(int64(len(e.Record)))))
	}
	return e, ok, err
}

func (h *countingLog) Done(e segment.Entry) error {
	h.records.Add(-1)
	h.bytes.Add(-int64(len(e.Record)))
	return h.Log.Done(e)
}

// Replay's memory does not grow with the log, neither in an outage nor while the log drains.
func TestMemoryIsIndependentOfTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		var log *countingLog
		const coalesce, n = 3000, 3000
		s := newStandOver(t, func(context.Context, string) error {
			if away.Load() {
				return errAway
			}
			time.Sleep(time.Millisecond)
			return nil
		}, func(l *segment.Log) Log {
			log = &countingLog{Log: l}
			return Log{l, log, l}
		}, func(set *standSettings) { set.Concurrency, set.CoalesceBytes = 2, coalesce })
		for _, name := range numbered(n) {
			require.NoError(t, s.Consume(context.Background(), s.batch(name)))
		}
		time.Sleep(time.Hour)
		away.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.True(t, s.log.Empty())
		assert.LessOrEqual(t, log.most.Load(), int64((2+1)*coalesce+1000), "and the record with which it is reached")
		assert.Greater(t, log.mostRecords.Load(), int64(windowMin), "several small records are in memory")
		s.stop(t)
	})
}
