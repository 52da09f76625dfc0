package delivery

import (
	"bytes"
	"context"
	"encoding/hex"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// locked is a log that begins with records of another key. It needs a second to read each of them.
type locked struct {
	*segment.Log
	record []byte
	left   atomic.Int64
}

func (l *locked) Next() (segment.Entry, bool, error) {
	if l.left.Add(-1) < 0 {
		return l.Log.Next()
	}
	time.Sleep(time.Second)
	return segment.Entry{Record: l.record}, true, nil
}

// Shutdown does not wait until replay has read all records of another key.
func TestShutdownAmongRecordsOfAnotherKey(t *testing.T) {
	key, err := record.NewKey(hex.EncodeToString(bytes.Repeat([]byte{1}, 32)))
	require.NoError(t, err)
	rec, err := record.Frames{Key: key}.Append(nil, nil, record.Meta{Signal: "logs"})
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		var log *locked
		s := newStandOver(t, func(context.Context, string) error { return nil }, func(l *segment.Log) Log {
			log = &locked{Log: l, record: rec}
			log.left.Store(1000)
			return Log{l, log, l}
		})
		time.Sleep(10 * time.Second)
		begun := time.Now()
		s.stop(t)
		assert.LessOrEqual(t, time.Since(begun), time.Second)
		assert.Greater(t, log.left.Load(), int64(900))
	})
}
