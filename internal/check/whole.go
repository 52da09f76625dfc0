package check

import (
	"fmt"
	"math"
	"reflect"
	"slices"
)

// Whole wants every number that a configuration gives for an integer field to be a
// whole number in the range of that field's type. To be called before raw, which is
// as read from the file, is decoded into config: decoding cuts fractions off and
// wraps what is too large, and for NaN and the infinities what comes out depends on
// the processor.
//
// Config is a struct or a pointer to one, its fields tagged for mapstructure. What
// does not fit it otherwise is left for the decoder to refuse.
func Whole(e *Errors, raw map[string]any, config any) {
	walk("", raw, reflect.TypeOf(config), e.wholeNumber)
}

var integers = []reflect.Kind{reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64}

func (e *Errors) wholeNumber(path string, raw any, to reflect.Type) {
	if !slices.Contains(integers, to.Kind()) {
		return
	}
	low, high := int64(math.MinInt64)>>(64-to.Bits()), int64(math.MaxInt64)>>(64-to.Bits())
	fits := true
	switch got := reflect.ValueOf(raw); {
	case got.CanInt():
		fits = low <= got.Int() && got.Int() <= high
	case got.CanUint():
		fits = got.Uint() <= uint64(high)
	case got.CanFloat():
		// The limits are powers of two or, as floats, rounded up to them: what is
		// below -low is at most high.
		f := got.Float()
		fits = f == math.Trunc(f) && float64(low) <= f && f < -float64(low)
	}
	e.That(fits, path, fmt.Sprintf("a whole number from %d to %d", low, high), raw)
}
