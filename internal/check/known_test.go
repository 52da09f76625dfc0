package check_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

func TestKnown(t *testing.T) {
	type item struct {
		Name string `mapstructure:"name"`
	}
	type open struct {
		Name string         `mapstructure:"name"`
		Rest map[string]any `mapstructure:",remain"`
	}
	type config struct {
		Items []item          `mapstructure:"items"`
		Open  *open           `mapstructure:"open"`
		Free  map[string]item `mapstructure:"free"`
		Own   struct{ a int } `mapstructure:"own"`
	}
	var e check.Errors
	check.Known(&e, map[string]any{
		"items": []any{map[string]any{"name": "a"}, map[string]any{"nam": "b", "name": 1}, "no map"},
		"open":  map[string]any{"name": "a", "anything": 1},
		"free":  map[string]any{"any": map[string]any{"key": 1}},
		"own":   map[string]any{"any": 1},
		"other": nil,
	}, &config{})
	require.EqualError(t, e.Err(), "other: must be one of free, items, open, own (got \"other\")\nitems::1::nam: must be one of name (got \"nam\")")

	e = check.Errors{}
	check.Known(&e, map[string]any{"open": map[string]any{}}, config{})
	require.NoError(t, e.Err())
}
