package check_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

func TestWhole(t *testing.T) {
	type inner struct {
		Narrow int32 `mapstructure:"narrow"`
	}
	type config struct {
		Wide  int            `mapstructure:"wide"`
		Time  time.Duration  `mapstructure:"time"`
		Float float64        `mapstructure:"float"`
		Text  string         `mapstructure:"text"`
		Inner inner          `mapstructure:"inner"`
		List  []inner        `mapstructure:"list"`
		Maybe *inner         `mapstructure:"maybe,omitempty"`
		Any   map[string]any `mapstructure:"any"`
		_     struct{}
	}
	narrow := func(v any) map[string]any { return map[string]any{"narrow": v} }
	for _, raw := range []map[string]any{
		nil,
		{"wide": 1},
		{"wide": 1.0},
		{"wide": math.MaxInt64},
		{"wide": int64(math.MinInt64)},
		{"wide": float64(math.MinInt64)},
		{"wide": nil},
		{"inner": narrow(math.MaxInt32)},
		{"inner": narrow(math.MinInt32)},
		{"inner": narrow(float64(math.MinInt32))},
		{"inner": nil},
		{"time": "1s"},
		{"time": 5},
		{"float": 1.5},
		{"float": math.NaN()},
		{"text": 1.5},
		{"any": map[string]any{"wide": 1.5}},
		// Values of other types pass: the decoder refuses them.
		{"wide": "1.5"},
		{"wide": map[string]any{"narrow": 1.5}},
		{"inner": 1.5},
		{"list": narrow(1.5)},
		{"unknown": 1.5},
		{"": 1.5},
	} {
		var e check.Errors
		check.Whole(&e, raw, &config{})
		require.NoError(t, e.Err(), "%v", raw)
	}
	const wide, within = "a whole number from -9223372036854775808 to 9223372036854775807", "a whole number from -2147483648 to 2147483647"
	for want, raw := range map[string]map[string]any{
		"wide: must be " + wide + " (got 1.5)":                        {"wide": 1.5},
		"wide: must be " + wide + " (got 1e+30)":                      {"wide": 1e30},
		"wide: must be " + wide + " (got 18446744073709551615)":       {"wide": uint64(math.MaxUint64)},
		"wide: must be " + wide + " (got NaN)":                        {"wide": math.NaN()},
		"wide: must be " + wide + " (got +Inf)":                       {"wide": math.Inf(1)},
		"wide: must be " + wide + " (got 9.223372036854776e+18)":      {"wide": float64(1 << 63)},
		"time: must be " + wide + " (got 0.5)":                        {"time": 0.5},
		"inner::narrow: must be " + within + " (got 2147483648)":      {"inner": narrow(1 << 31)},
		"inner::narrow: must be " + within + " (got -2147483649)":     {"inner": narrow(-1<<31 - 1)},
		"list::1::narrow: must be " + within + " (got 4294967297)":    {"list": []any{narrow(1), narrow(1<<32 + 1)}},
		"maybe::narrow: must be " + within + " (got 2.147483648e+09)": {"maybe": narrow(float64(1 << 31))},
	} {
		var e check.Errors
		check.Whole(&e, raw, &config{})
		require.EqualError(t, e.Err(), want)
	}
}
