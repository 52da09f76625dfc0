package bucketing

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/metadata"
)

func load(t *testing.T, id string) *Config {
	t.Helper()
	return harness.LoadConfig(t, id, createDefaultConfig().(*Config))
}

func TestConfigDefaults(t *testing.T) {
	require.Equal(t, &Config{
		ErrorMode: "ignore",
		OnInvalid: "drop",
		Rules: []RuleConfig{{
			Target:       TargetConfig{Explicit: &ExplicitConfig{Preset: "latency_ms"}},
			Split:        "auto",
			MaxRankError: 1,
			Cumulative:   cumulativeDefaults(),
		}},
	}, load(t, component.NewID(metadata.Type).String()))
}

func TestConfigAllKeys(t *testing.T) {
	require.Equal(t, &Config{
		ErrorMode: "propagate",
		OnInvalid: "pass",
		Rules: []RuleConfig{
			{
				Match:        MatchConfig{MetricNames: []string{`http\..*`, `rpc\..*`}, Types: []string{"histogram", "exponential_histogram"}, Unit: "ms"},
				Target:       TargetConfig{Explicit: &ExplicitConfig{Bounds: []float64{0, 10, 50, 100, 500}}},
				Split:        "linear",
				MaxRankError: 0.02,
				Cumulative:   CumulativeConfig{Mode: "stateful", WorkingScale: 4, OnViolation: "hold", MaxStreams: 500},
				OnInvalid:    "drop",
			},
			{
				Match:        MatchConfig{Types: []string{"histogram"}},
				Target:       TargetConfig{Exponential: &ExponentialConfig{MaxScale: 5, MaxSize: 80, ZeroThreshold: 0.001}},
				Split:        "auto",
				MaxRankError: 1,
				Cumulative:   cumulativeDefaults(),
			},
			{
				Match:        MatchConfig{MetricNames: []string{`db\..*`}},
				Target:       TargetConfig{Limit: &LimitConfig{MaxBuckets: 31, Strategy: "min_error", Pin: []float64{0.5}}},
				Split:        "pchip",
				MaxRankError: 1,
				Cumulative:   CumulativeConfig{Mode: "stateful", WorkingScale: 3, OnViolation: "reset", MaxStreams: 10_000},
			},
			{
				Target:       TargetConfig{Exponential: &ExponentialConfig{MaxScale: 8, MaxSize: 160}},
				Split:        "auto",
				MaxRankError: 1,
				Cumulative:   cumulativeDefaults(),
			},
		},
	}, load(t, component.NewIDWithName(metadata.Type, "all").String()))
}

func TestConfigUnknownKeys(t *testing.T) {
	explicit := map[string]any{"explicit": map[string]any{"bounds": []any{1}}}
	for want, rule := range map[string]map[string]any{
		`rules::0::cumulative::state: must be one of max_streams, mode, on_violation, working_scale (got "state")`:            {"cumulative": map[string]any{"state": "kept"}},
		`rules::0::target::explicit::bound: must be one of bounds, preset (got "bound")`:                                      {"target": map[string]any{"explicit": map[string]any{"bound": []any{1}}}},
		`rules::0::target::exponential::size: must be one of`:                                                                 {"target": map[string]any{"exponential": map[string]any{"size": 1}}},
		`rules::0::target::limit::buckets: must be one of`:                                                                    {"target": map[string]any{"limit": map[string]any{"buckets": 1}}},
		`rules::0::matches: must be one of`:                                                                                   {"matches": map[string]any{}},
		`rules::0::match::names: must be one of metric_names, types, unit and resource.<attribute> (got "names")`:             {"target": explicit, "match": map[string]any{"names": []any{"a"}}},
		`rules::0::match::resource.: must be one of`:                                                                          {"target": explicit, "match": map[string]any{"resource.": "a"}},
		`rules::0::match::resource.a::1: must be a regular expression (got "(")`:                                              {"target": explicit, "match": map[string]any{"resource.a": []any{"a", "("}}},
		`rules::0::match::resource.a: must be at least one regular expression (got 0)`:                                        {"target": explicit, "match": map[string]any{"resource.a": []any{}}},
		`rules::0::match::resource.a: must be a regular expression or a list of them (got 3)`:                                 {"target": explicit, "match": map[string]any{"resource.a": 3}},
		`rules::0::match::resource.a\.b: must be a name without a backslash, not a regular expression (got "resource.a\\.b")`: {"target": explicit, "match": map[string]any{`resource.a\.b`: "c"}},
		`bounds`: {"target": map[string]any{"explicit": map[string]any{"bounds": "many"}}},
	} {
		conf, cfg := confmap.NewFromStringMap(map[string]any{"rules": []any{rule}}), createDefaultConfig()
		err := conf.Unmarshal(cfg)
		if err == nil {
			err = confmap.Validate(cfg)
		}
		require.ErrorContains(t, err, want)
	}
}

func cumulativeDefaults() CumulativeConfig {
	return CumulativeConfig{Mode: "stateless", WorkingScale: 3, OnViolation: "reset", MaxStreams: 10_000}
}

// valid returns a valid rule, which the test cases change.
func valid() RuleConfig {
	return RuleConfig{
		Target:       TargetConfig{Explicit: &ExplicitConfig{Bounds: []float64{1, 2}}},
		Split:        "auto",
		MaxRankError: 1,
		Cumulative:   cumulativeDefaults(),
	}
}

func TestConfigValidate(t *testing.T) {
	bounds := func(b ...float64) func(*RuleConfig) {
		return func(r *RuleConfig) { r.Target.Explicit.Bounds = b }
	}
	exponential := func(e ExponentialConfig) func(*RuleConfig) {
		return func(r *RuleConfig) { r.Target = TargetConfig{Exponential: &e} }
	}
	limit := func(l LimitConfig) func(*RuleConfig) {
		return func(r *RuleConfig) { r.Target = TargetConfig{Limit: &l} }
	}
	for _, tt := range []struct {
		name   string
		change func(*RuleConfig)
		want   string
	}{
		{"unsorted", bounds(0, 10, 5), "rules::0::target::explicit::bounds::2: must be greater than the one before, 10 (got 5)"},
		{"duplicate", bounds(0, 10, 10), "rules::0::target::explicit::bounds::2: must be greater than the one before, 10 (got 10)"},
		{"NaN", bounds(0, math.NaN()), "rules::0::target::explicit::bounds::1: must be finite (got NaN)"},
		{"Inf", bounds(0, math.Inf(1)), "rules::0::target::explicit::bounds::1: must be finite (got +Inf)"},
		{"negative Inf", bounds(math.Inf(-1), 0), "rules::0::target::explicit::bounds::0: must be finite (got -Inf)"},
		{"too many", bounds(make([]float64, 16384)...), "rules::0::target::explicit::bounds: must be fewer than 16384 (got 16384)"},
		{"no bounds", bounds(), "rules::0::target::explicit: must be exactly one of bounds, preset (got none)"},
		{"bounds and preset", func(r *RuleConfig) { r.Target.Explicit.Preset = "otel" }, "rules::0::target::explicit: must be exactly one of bounds, preset (got bounds, preset)"},
		{"unknown preset", func(r *RuleConfig) { r.Target.Explicit = &ExplicitConfig{Preset: "fine"} }, `rules::0::target::explicit::preset: must be one of latency_ms, otel, pow2, prometheus (got "fine")`},
		{"no target", func(r *RuleConfig) { r.Target = TargetConfig{} }, "rules::0::target: must be exactly one of explicit, exponential, limit (got none)"},
		{"two targets", func(r *RuleConfig) { r.Target.Exponential = &ExponentialConfig{MaxScale: 1, MaxSize: 2} }, "rules::0::target: must be exactly one of explicit, exponential, limit (got explicit, exponential)"},
		{"two other targets", func(r *RuleConfig) { r.Target.Limit = &LimitConfig{MaxBuckets: 5, Strategy: "uniform"} }, "rules::0::target: must be exactly one of explicit, exponential, limit (got explicit, limit)"},
		{"scale too high", exponential(ExponentialConfig{MaxScale: 21, MaxSize: 160}), "rules::0::target::exponential::max_scale: must be from -10 to 20 (got 21)"},
		{"scale too low", exponential(ExponentialConfig{MaxScale: -11, MaxSize: 160}), "rules::0::target::exponential::max_scale: must be from -10 to 20 (got -11)"},
		{"size too small", exponential(ExponentialConfig{MaxSize: 1}), "rules::0::target::exponential::max_size: must be from 2 to 16384 (got 1)"},
		{"size too large", exponential(ExponentialConfig{MaxSize: 1 << 20}), "rules::0::target::exponential::max_size: must be from 2 to 16384 (got 1048576)"},
		{"threshold negative", exponential(ExponentialConfig{MaxSize: 2, ZeroThreshold: -1}), "rules::0::target::exponential::zero_threshold: must be 0 or more (got -1)"},
		{"threshold NaN", exponential(ExponentialConfig{MaxSize: 2, ZeroThreshold: math.NaN()}), "rules::0::target::exponential::zero_threshold: must be 0 or more and finite (got NaN)"},
		{"threshold Inf", exponential(ExponentialConfig{MaxSize: 2, ZeroThreshold: math.Inf(1)}), "rules::0::target::exponential::zero_threshold: must be 0 or more and finite (got +Inf)"},
		{"no buckets", limit(LimitConfig{Strategy: "uniform"}), "rules::0::target::limit::max_buckets: must be from 5 to 16384 (got 0)"},
		{"strategy", limit(LimitConfig{MaxBuckets: 5, Strategy: "even"}), `rules::0::target::limit::strategy: must be one of uniform, min_error (got "even")`},
		{"min_error without state", limit(LimitConfig{MaxBuckets: 5, Strategy: "min_error"}), `rules::0::target::limit::strategy: must be uniform if cumulative::mode is stateless, which does not remember the bounds of a stream (got "min_error")`},
		{"too many pins", limit(LimitConfig{MaxBuckets: 5, Strategy: "uniform", Pin: make([]float64, 5)}), "rules::0::target::limit::pin: must be fewer than max_buckets (got 5)"},
		{"pin NaN", limit(LimitConfig{MaxBuckets: 5, Strategy: "uniform", Pin: []float64{math.NaN()}}), "rules::0::target::limit::pin::0: must be finite (got NaN)"},
		{"regex", func(r *RuleConfig) { r.Match.MetricNames = []string{"a", "("} }, `rules::0::match::metric_names::1: must be a regular expression (got "(")`},
		{"regex that needs the group around it", func(r *RuleConfig) { r.Match.MetricNames = []string{"a)|(b"} }, `rules::0::match::metric_names::0: must be a regular expression (got "a)|(b")`},
		{"type", func(r *RuleConfig) { r.Match.Types = []string{"sum"} }, `rules::0::match::types::0: must be one of histogram, exponential_histogram, gauge (got "sum")`},
		{"gauge to a limit", func(r *RuleConfig) {
			r.Match.Types = []string{"histogram", "gauge"}
			r.Target = TargetConfig{Limit: &LimitConfig{MaxBuckets: 5, Strategy: "uniform"}}
		}, `rules::0::match::types::1: must be a histogram type if the target is limit (got "gauge")`},
		{"split", func(r *RuleConfig) { r.Split = "cubic" }, `rules::0::split: must be one of auto, forbid, log, linear, pchip, upper, midpoint (got "cubic")`},
		{"rank error 0", func(r *RuleConfig) { r.MaxRankError = 0 }, "rules::0::max_rank_error: must be above 0 and at most 1 (got 0)"},
		{"rank error above 1", func(r *RuleConfig) { r.MaxRankError = 1.5 }, "rules::0::max_rank_error: must be above 0 and at most 1 (got 1.5)"},
		{"rank error NaN", func(r *RuleConfig) { r.MaxRankError = math.NaN() }, "rules::0::max_rank_error: must be above 0 and at most 1 (got NaN)"},
		{"on_invalid", func(r *RuleConfig) { r.OnInvalid = "fix" }, `rules::0::on_invalid: must be one of drop, pass, repair (got "fix")`},
		{"working scale", func(r *RuleConfig) { r.Cumulative.WorkingScale = 21 }, "rules::0::cumulative::working_scale: must be from -10 to 20 (got 21)"},
		{"mode", func(r *RuleConfig) { r.Cumulative.Mode = "" }, `rules::0::cumulative::mode: must be one of stateless, stateful (got "")`},
		{"on_violation", func(r *RuleConfig) { r.Cumulative.OnViolation = "none" }, `rules::0::cumulative::on_violation: must be one of reset, hold, drop (got "none")`},
		{"hold without state", func(r *RuleConfig) { r.Cumulative.OnViolation = "hold" }, `rules::0::cumulative::on_violation: must be reset or drop if mode is stateless, which does not remember the values that were emitted last (got "hold")`},
		{"no streams", func(r *RuleConfig) { r.Cumulative.MaxStreams = 0 }, "rules::0::cumulative::max_streams: must be from 1 to 10000000 (got 0)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := valid()
			require.NoError(t, (&Config{ErrorMode: "ignore", OnInvalid: "drop", Rules: []RuleConfig{r}}).Validate())
			tt.change(&r)
			require.ErrorContains(t, (&Config{ErrorMode: "ignore", OnInvalid: "drop", Rules: []RuleConfig{r}}).Validate(), tt.want)
		})
	}
}

func TestConfigValidateTop(t *testing.T) {
	require.EqualError(t, createDefaultConfig().(*Config).Validate(), "rules: must be at least one rule (got 0)")
	require.EqualError(t, (&Config{ErrorMode: "silent", OnInvalid: "drop", Rules: []RuleConfig{valid()}}).Validate(),
		`error_mode: must be one of ignore, propagate (got "silent")`)
	second := valid()
	second.Split = ""
	require.ErrorContains(t, (&Config{ErrorMode: "ignore", OnInvalid: "drop", Rules: []RuleConfig{valid(), second}}).Validate(), "rules::1::split: ")
}

// No number is cut or wrapped into its range.
func TestConfigNumbers(t *testing.T) {
	const narrow, whole = "must be from -10 to 20 (got ", "must be a whole number "
	explicit := map[string]any{"explicit": map[string]any{"bounds": []any{1}}}
	for field, at := range map[string]func(any) map[string]any{
		"rules::0::cumulative::working_scale": func(v any) map[string]any {
			return map[string]any{"target": explicit, "cumulative": map[string]any{"working_scale": v}}
		},
		"rules::0::target::exponential::max_scale": func(v any) map[string]any {
			return map[string]any{"target": map[string]any{"exponential": map[string]any{"max_scale": v}}}
		},
		"rules::0::target::exponential::max_size": func(v any) map[string]any {
			return map[string]any{"target": map[string]any{"exponential": map[string]any{"max_size": v}}}
		},
		"rules::0::target::limit::max_buckets": func(v any) map[string]any {
			return map[string]any{"target": map[string]any{"limit": map[string]any{"max_buckets": v}}}
		},
	} {
		must := func(v any) error {
			cfg := createDefaultConfig().(*Config)
			conf := confmap.NewFromStringMap(map[string]any{"rules": []any{at(v)}})
			if err := conf.Unmarshal(cfg); err != nil {
				return err
			}
			return confmap.Validate(cfg)
		}
		require.NoError(t, must(8), field)
		require.NoError(t, must(8.0), field)
		for _, v := range []any{1<<32 + 1, 1<<32 + 8, -1<<32 + 8, math.MaxInt64, math.MinInt64} {
			require.ErrorContains(t, must(v), field+": must be from ", "%v", v)
			require.ErrorContains(t, must(v), fmt.Sprintf("(got %v)", v))
		}
		for _, v := range []any{8.5, 1e30, -1e30, math.NaN(), math.Inf(1), math.Inf(-1), uint64(math.MaxUint64)} {
			require.ErrorContains(t, must(v), field+": "+whole, "%v", v)
		}
		if strings.HasSuffix(field, "_scale") {
			require.ErrorContains(t, must(21), field+": "+narrow+"21)")
		}
	}
}
