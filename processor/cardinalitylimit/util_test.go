package cardinalitylimit

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

func nan() float64 { return math.NaN() }
func inf() float64 { return math.Inf(1) }

func newTimestamp(t time.Time) pcommon.Timestamp { return pcommon.NewTimestampFromTime(t) }
