package check

import "fmt"

// number includes time.Duration, which is shown as such.
type number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Range wants low <= got <= high.
func Range[T number](e *Errors, field string, got, low, high T) {
	e.That(got >= low && got <= high, field, fmt.Sprintf("from %v to %v", low, high), got)
}

// AtLeast wants got >= low.
func AtLeast[T number](e *Errors, field string, got, low T) {
	bounded(e, got >= low, field, fmt.Sprintf("at least %v", low), got)
}

// Positive wants got > 0.
func Positive[T number](e *Errors, field string, got T) {
	bounded(e, got > 0, field, "positive", got)
}

// NotNegative wants got >= 0.
func NotNegative[T number](e *Errors, field string, got T) {
	bounded(e, got >= 0, field, "0 or more", got)
}

// Share wants 0 < got <= 1.
func Share(e *Errors, field string, got float64) {
	e.That(got > 0 && got <= 1, field, "above 0 and at most 1", got)
}

// Finite wants neither NaN nor an infinity.
func Finite(e *Errors, field string, got float64) {
	e.That(finite(got), field, "finite", got)
}

// Increasing wants finite numbers, each greater than the one before.
func Increasing(e *Errors, field string, got []float64) {
	for i, v := range got {
		switch {
		case !finite(v):
			e.That(false, Item(field, i), "finite", v)
		case i > 0 && v <= got[i-1]:
			e.That(false, Item(field, i), fmt.Sprintf("greater than the one before, %v", got[i-1]), v)
		}
	}
}

// bounded is That for a check with one bound, which +Inf or -Inf would pass.
func bounded[T number](e *Errors, ok bool, field, must string, got T) {
	if !finite(got) {
		ok, must = false, must+" and finite"
	}
	e.That(ok, field, must, got)
}

// finite: what is not finite has no difference from itself.
func finite[T number](v T) bool { return v-v == 0 }
