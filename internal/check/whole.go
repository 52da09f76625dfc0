package check

import (
	"fmt"
	"math"
	"reflect"
	"slices"
)

// Whole requires that every number that raw, the configuration as read from the file, has for an integer field is a
// whole number in the range of the field's type. Call it before raw is decoded into config: decoding cuts fractions off
// and wraps values that are too large, and its result for NaN and the infinities depends on the processor.
//
// Config is a struct or a pointer to one whose fields have mapstructure tags. Values of other wrong types are left to
// the decoder, which refuses them.
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
		// low is a power of two, which a float represents exactly. high+1 = -low is one too, whereas high itself
		// would be rounded up: so f < -low stands for f <= high.
		f := got.Float()
		fits = f == math.Trunc(f) && float64(low) <= f && f < -float64(low)
	}
	e.That(fits, path, fmt.Sprintf("a whole number from %d to %d", low, high), raw)
}
