package check

import (
	"fmt"

	"github.com/otelcol-custom/otelcol-custom/internal/floats"
)

// number includes time.Duration, which prints as a duration.
type number = floats.Number

// Range requires low <= got <= high.
func Range[T number](e *Errors, field string, got, low, high T) {
	e.That(got >= low && got <= high, field, fmt.Sprintf("from %v to %v", low, high), got)
}

// AtLeast requires got >= low.
func AtLeast[T number](e *Errors, field string, got, low T) {
	bounded(e, got >= low, field, fmt.Sprintf("at least %v", low), got)
}

// Positive requires got > 0.
func Positive[T number](e *Errors, field string, got T) {
	bounded(e, got > 0, field, "positive", got)
}

// NotNegative requires got >= 0.
func NotNegative[T number](e *Errors, field string, got T) {
	bounded(e, got >= 0, field, "0 or more", got)
}

// Share requires 0 < got <= 1.
func Share(e *Errors, field string, got float64) {
	e.That(got > 0 && got <= 1, field, "above 0 and at most 1", got)
}

// Finite requires a number that is neither NaN nor an infinity.
func Finite(e *Errors, field string, got float64) {
	e.That(floats.IsFinite(got), field, "finite", got)
}

// Increasing requires finite numbers, each greater than the one before.
func Increasing(e *Errors, field string, got []float64) {
	for i, v := range got {
		switch {
		case !floats.IsFinite(v):
			e.That(false, Item(field, i), "finite", v)
		case i > 0 && v <= got[i-1]:
			e.That(false, Item(field, i), fmt.Sprintf("greater than the one before, %v", got[i-1]), v)
		}
	}
}

// bounded adds an error unless ok and the number is finite. It is for checks with one bound: an infinity would pass
// them.
func bounded[T number](e *Errors, ok bool, field, must string, got T) {
	if !floats.IsFinite(got) {
		ok, must = false, must+" and finite"
	}
	e.That(ok, field, must, got)
}
