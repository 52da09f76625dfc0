package cardinalitylimit

import (
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/oversize"
)

const (
	// minTextBytes leaves room for some text before the hash of a cut text.
	minTextBytes = oversize.SuffixBytes + 4
	// maxTextBytes and maxDepth bound the nesting of a value that is within the limits.
	maxTextBytes = 1 << 20
	maxDepth     = 1 << 10
)

func (c *AttributeLimitsConfig) compile(e *check.Errors) oversize.Limits {
	orOff := func(field string, got, low, high int) {
		e.That(got == 0 || got >= low && got <= high, field, fmt.Sprintf("0 or from %d to %d", low, high), got)
	}
	orOff("max_count", c.MaxCount, 1, maxCount)
	orOff("max_name_bytes", c.MaxNameBytes, minTextBytes, maxTextBytes)
	orOff("max_value_bytes", c.MaxValueBytes, minTextBytes, maxTextBytes)
	orOff("max_depth", c.MaxDepth, 1, maxDepth)
	orOff("max_buckets", c.MaxBuckets, 1, maxCount)
	return oversize.Limits{
		MaxCount: c.MaxCount, MaxNameBytes: c.MaxNameBytes, MaxValueBytes: c.MaxValueBytes,
		MaxDepth: c.MaxDepth, MaxBuckets: c.MaxBuckets,
	}
}

// oversized counts and logs the bounds of attribute_limits that a batch exceeded.
func (p *limiter) oversized(c *oversize.Cutter) {
	if c.Counts == (oversize.Counts{}) {
		return
	}
	for k, n := range c.Counts {
		if n > 0 {
			p.telemetry.oversized[k].Add(n)
		}
	}
	if counts, due := p.oversizeLog.due(p.factory.now(), &c.Counts); due {
		fields := []zap.Field{
			zap.Stringer("example_kind", c.Example.Kind), zap.String("example_name", offenders.Clip(c.Example.Name)),
		}
		for k, n := range counts {
			if n > 0 {
				fields = append(fields, zap.Int64(oversize.Kind(k).String(), n)) //nolint:gosec // a kind
			}
		}
		p.settings.Logger.Warn("Senders exceed attribute_limits", fields...)
	}
}

// oversizeLog decides when a log record about attribute_limits is due: at most one per logEvery. It is safe for concurrent use.
type oversizeLog struct {
	mu    sync.Mutex
	last  time.Time
	since oversize.Counts // counts since the last record
}

func (l *oversizeLog) due(now time.Time, more *oversize.Counts) (counts oversize.Counts, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, n := range more {
		l.since[k] += n
	}
	if !l.last.IsZero() && now.Sub(l.last) < logEvery {
		return counts, false
	}
	l.last = now
	counts, l.since = l.since, oversize.Counts{}
	return counts, true
}
