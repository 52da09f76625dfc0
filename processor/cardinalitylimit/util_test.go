package cardinalitylimit

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/otel/attribute"
)

func attributeKey(s string) attribute.Key { return attribute.Key(s) }

func nan() float64 { return math.NaN() }
func inf() float64 { return math.Inf(1) }

func newTimestamp(t time.Time) pcommon.Timestamp { return pcommon.NewTimestampFromTime(t) }
