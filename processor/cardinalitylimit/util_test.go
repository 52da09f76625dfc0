package cardinalitylimit

import (
	"math"

	"go.opentelemetry.io/otel/attribute"
)

func attributeKey(s string) attribute.Key { return attribute.Key(s) }

func nan() float64 { return math.NaN() }
func inf() float64 { return math.Inf(1) }
