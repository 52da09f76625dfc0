package cardinalitylimit

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

func load(t *testing.T, id string) *Config {
	t.Helper()
	return harness.LoadConfig(t, id, createDefaultConfig().(*Config))
}

func TestEmptyConfigIsTheDefault(t *testing.T) {
	cfg := load(t, "cardinalitylimit")
	require.Equal(t, createDefaultConfig(), cfg)
	require.Equal(t, []LimitConfig{{
		Name: "metric", Key: []string{"resource.service.namespace", "resource.service.name", "metric.name"}, Count: "attributes",
		MaxSeries: 500, WarnAt: 0.8, Action: "overflow",
	}}, cfg.limits())
}

// A key without a value, as templates write it, counts as absent.
func TestNullIsAbsent(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"mode": nil, "window": nil, "storage": nil, "instance_id": nil, "snapshot_interval": nil,
		"tracker":       map[string]any{"exact_up_to": nil, "memory_limit_mib": nil},
		"exempt":        map[string]any{"metrics": nil},
		"top_offenders": map[string]any{"count": nil, "log_examples": nil},
		"reaggregate":   map[string]any{"first_value": nil, "idle_timeout": nil},
	}).Unmarshal(cfg))
	require.Equal(t, createDefaultConfig(), cfg)
	limit := map[string]any{"name": "metric", "key": []any{"resource.service.namespace", "resource.service.name", "metric.name"}, "max_series": 500}
	for _, key := range []string{"count", "max_values", "warn_at", "action", "dry_run", "overrides"} {
		limit[key] = nil
	}
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"limits": []any{limit}}).Unmarshal(cfg))
	require.Equal(t, defaultLimits, cfg.Limits)
}

func TestFullConfig(t *testing.T) {
	storageID := component.MustNewIDWithName("file_storage", "limits")
	require.Equal(t, &Config{
		Mode:       "dry_run",
		Window:     WindowConfig{Duration: 30 * time.Minute, Generations: 3},
		Tracker:    TrackerConfig{ExactUpTo: 1000, FalsePositiveRate: 1e-3, MemoryLimitMiB: 128, MaxKeys: 5000},
		InstanceID: "gateway-0",
		Admission:  AdmissionConfig{ContestedAt: 0.5},
		AttributeLimits: AttributeLimitsConfig{
			MaxCount: 64, MaxNameBytes: 0, MaxValueBytes: 1024, MaxDepth: 4, MaxBuckets: 500,
		},
		Exempt: ExemptConfig{Metrics: []string{"up", "otelcol_.*"}},
		Limits: []LimitConfig{
			{
				Name: "metric", Key: []string{"resource.service.name", "metric.name"}, Count: "attributes",
				MaxSeries: 500, WarnAt: 0.8, Action: "overflow",
				Overrides: []OverrideConfig{
					{Match: map[string]any{"metrics": []any{`http\..*`}}, MaxSeries: 2000},
					{Match: map[string]any{"resource.service.name": "checkout"}, MaxSeries: 1000},
				},
			},
			{Name: "tenant", Key: []string{"metadata.x-tenant"}, Count: "streams", MaxSeries: 200_000, WarnAt: 0.9, Action: "drop"},
			{Name: "label", Key: []string{"metric.name"}, Count: "attributes", MaxValues: 200, WarnAt: 0.8, Action: "strip", DryRun: true},
		},
		Reaggregate: ReaggregateConfig{
			FlushInterval: 10 * time.Second, MaxTrackedStreams: 5000, Gauge: "sum", FirstValue: "start", IdleTimeout: 10 * time.Minute,
		},
		Storage:          &storageID,
		SnapshotInterval: time.Minute,
		TopOffenders:     OffendersConfig{Count: 3, LogExamples: true},
	}, load(t, "cardinalitylimit/all"))
}

func TestInvalidConfig(t *testing.T) {
	limits := func(edit map[string]any) map[string]any {
		l := map[string]any{"name": "l", "key": []any{"metric.name"}, "max_series": 10}
		for k, v := range edit {
			if v == nil {
				delete(l, k)
			} else {
				l[k] = v
			}
		}
		return map[string]any{"limits": []any{l}}
	}
	override := func(o map[string]any) map[string]any {
		return limits(map[string]any{"overrides": []any{o}})
	}
	for name, c := range map[string]struct {
		conf map[string]any
		want string
	}{
		"mode":               {map[string]any{"mode": "on"}, `mode: must be one of enforce, dry_run (got "on")`},
		"offenders":          {map[string]any{"top_offenders": map[string]any{"count": 101}}, "top_offenders::count: must be from 0 to 100 (got 101)"},
		"window":             {map[string]any{"window": map[string]any{"duration": "0s"}}, "window::duration: must be at least 1s (got 0s)"},
		"one generation":     {map[string]any{"window": map[string]any{"generations": 1}}, "window::generations: must be from 2 to 7 (got 1)"},
		"eight generations":  {map[string]any{"window": map[string]any{"generations": 8}}, "window::generations: must be from 2 to 7 (got 8)"},
		"exact":              {map[string]any{"tracker": map[string]any{"exact_up_to": -1}}, "tracker::exact_up_to: must be from 0 to 1000000000 (got -1)"},
		"rate":               {map[string]any{"tracker": map[string]any{"false_positive_rate": 1.0}}, "tracker::false_positive_rate: must be at least 1e-9 and below 1 (got 1)"},
		"memory":             {map[string]any{"tracker": map[string]any{"memory_limit_mib": 0}}, "tracker::memory_limit_mib: must be from 1 to 1048576 (got 0)"},
		"keys":               {map[string]any{"tracker": map[string]any{"max_keys": 0}}, "tracker::max_keys: must be from 1 to 1000000000 (got 0)"},
		"flush":              {map[string]any{"reaggregate": map[string]any{"flush_interval": "-1s"}}, "reaggregate::flush_interval: must be at least 100ms (got -1s)"},
		"flush that spins":   {map[string]any{"reaggregate": map[string]any{"flush_interval": "1ns"}}, "reaggregate::flush_interval: must be at least 100ms (got 1ns)"},
		"flush without unit": {map[string]any{"reaggregate": map[string]any{"flush_interval": 15}}, "reaggregate::flush_interval: must be at least 100ms (got 15ns)"},
		"window that spins":  {map[string]any{"window": map[string]any{"duration": "999ms"}}, "window::duration: must be at least 1s (got 999ms)"},
		"memory that wraps":  {map[string]any{"tracker": map[string]any{"memory_limit_mib": 1 << 44}}, "tracker::memory_limit_mib: must be from 1 to 1048576 (got 17592186044416)"},
		"tiny rate":          {map[string]any{"tracker": map[string]any{"false_positive_rate": 5e-324}}, "tracker::false_positive_rate: must be at least 1e-9 and below 1 (got 5e-324)"},
		"rate NaN":           {map[string]any{"tracker": map[string]any{"false_positive_rate": math.NaN()}}, "tracker::false_positive_rate: must be at least 1e-9 and below 1 (got NaN)"},
		"warn_at NaN":        {limits(map[string]any{"warn_at": math.NaN()}), "limits::0::warn_at: must be from 0 to 1 (got NaN)"},
		"streams":            {map[string]any{"reaggregate": map[string]any{"max_tracked_streams": 0}}, "reaggregate::max_tracked_streams: must be from 1 to 1000000000 (got 0)"},
		"snapshots":          {map[string]any{"snapshot_interval": "10ms"}, "snapshot_interval: must be at least 1s (got 10ms)"},
		"gauge":              {map[string]any{"reaggregate": map[string]any{"gauge": "avg"}}, `reaggregate::gauge: must be one of drop, last, min, max, sum (got "avg")`},
		"exempt":             {map[string]any{"exempt": map[string]any{"metrics": []any{"("}}}, "exempt::metrics::0: must be a regular expression"},
		"no name":            {limits(map[string]any{"name": nil}), `limits::0::name: must be a name other than "none" (got "")`},
		"name none":          {limits(map[string]any{"name": "none"}), `limits::0::name: must be a name other than "none" (got "none")`},
		"no key":             {limits(map[string]any{"key": nil}), "limits::0::key: must be a list of parts; an empty one is one key for everything (got \"nothing\")"},
		"unknown part":       {limits(map[string]any{"key": []any{"service.name"}}), `limits::0::key::0: must be resource.<name>, scope.name, metric.name, attribute.<name> or metadata.<name> (got "service.name")`},
		"part without name":  {limits(map[string]any{"key": []any{"resource."}}), `limits::0::key::0: must be resource.<name>`},
		"part twice":         {limits(map[string]any{"key": []any{"metric.name", "metric.name"}}), "limits::0::key::1: must be named once (got \"metric.name\")"},
		"count":              {limits(map[string]any{"count": "series"}), `limits::0::count: must be one of attributes, streams (got "series")`},
		"zero":               {limits(map[string]any{"max_series": 0}), "limits::0::max_series: must be from 1 to 1000000000 (got 0)"},
		"negative":           {limits(map[string]any{"max_series": -1}), "limits::0::max_series: must be from 1 to 1000000000 (got -1)"},
		"negative values":    {limits(map[string]any{"max_series": nil, "max_values": -1}), "limits::0::max_values: must be from 1 to 1000000000 (got -1)"},
		"zero values":        {limits(map[string]any{"max_series": nil, "max_values": 0}), "limits::0::max_values: must be from 1 to 1000000000 (got 0)"},
		"zero values beside": {limits(map[string]any{"max_values": 0}), "limits::0::max_values: must be from 1 to 1000000000 (got 0)"},
		"both maxima":        {limits(map[string]any{"max_values": 5}), "limits::0::max_series: must be absent where max_values is set (got 10)"},
		"strip without":      {limits(map[string]any{"action": "strip"}), "limits::0::action: must be overflow, drop or tag where max_values is not set (got \"strip\")"},
		"action":             {limits(map[string]any{"action": "delete"}), `limits::0::action: must be overflow, drop, strip or tag (got "delete")`},
		"streams of values":  {limits(map[string]any{"max_series": nil, "max_values": 5, "count": "streams"}), "limits::0::count: must be attributes where max_values is set (got \"streams\")"},
		"warn_at":            {limits(map[string]any{"warn_at": 2}), "limits::0::warn_at: must be from 0 to 1 (got 2)"},
		"override no match":  {override(map[string]any{"max_series": 5}), "limits::0::overrides::0::match: must be at least one condition (got 0)"},
		"override twice":     {limits(map[string]any{"key": []any{"metadata.X-a"}, "overrides": []any{map[string]any{"match": map[string]any{"metadata.x-a": "b", "metadata.X-A": "c"}, "max_series": 5}}}), "limits::0::overrides::0::match::metadata.x-a: must be named once (got \"b\")"},
		"override no max":    {override(map[string]any{"match": map[string]any{"metrics": []any{"a"}}}), "limits::0::overrides::0::max_series: must be from 1 to 1000000000 (got 0)"},
		"override other max": {override(map[string]any{"match": map[string]any{"metrics": []any{"a"}}, "max_values": 5}), "limits::0::overrides::0::max_series: must be from 1 to 1000000000 (got 0)"},
		"override not a key": {override(map[string]any{"match": map[string]any{"metadata.x": "a"}, "max_series": 5}), "limits::0::overrides::0::match::metadata.x: must be a part of the limit's key (got [metric.name])"},
		"override part":      {override(map[string]any{"match": map[string]any{"x": "a"}, "max_series": 5}), "limits::0::overrides::0::match::x: must be resource.<name>"},
		"override regexp":    {override(map[string]any{"match": map[string]any{"metrics": []any{"("}}, "max_series": 5}), "limits::0::overrides::0::match::metrics::0: must be a regular expression"},
		"override list":      {override(map[string]any{"match": map[string]any{"metrics": "a"}, "max_series": 5}), "limits::0::overrides::0::match::metrics: must be a list of regular expressions (got \"a\")"},
		"override type":      {override(map[string]any{"match": map[string]any{"metric.name": 5}, "max_series": 5}), "limits::0::overrides::0::match::metric.name: must be a string (got \"int\")"},
		"override other":     {override(map[string]any{"match": map[string]any{"metrics": []any{"a"}}, "max_series": 5, "max_values": 5}), "limits::0::overrides::0::max_values: must be absent where the limit has max_series (got 5)"},
		"unanchored":         {override(map[string]any{"match": map[string]any{"metrics": []any{"a)|(?:b"}}, "max_series": 5}), "limits::0::overrides::0::match::metrics::0: must be a regular expression (got \"a)|(?:b\")"},
		"override item":      {override(map[string]any{"match": map[string]any{"metrics": []any{5}}, "max_series": 5}), "limits::0::overrides::0::match::metrics::0: must be a regular expression (got 5)"},
		"name twice": {map[string]any{"limits": []any{
			map[string]any{"name": "l", "key": []any{"metric.name"}, "max_series": 10},
			map[string]any{"name": "l", "key": []any{"scope.name"}, "max_series": 10},
		}}, `limits::1::name: must be unique (got "l")`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			require.NoError(t, confmap.NewFromStringMap(c.conf).Unmarshal(cfg))
			require.ErrorContains(t, confmap.Validate(cfg), c.want)
		})
	}
}

// Numbers are those of the file. None is cut or wrapped into its range.
func TestConfigNumbers(t *testing.T) {
	within := func(keys ...string) func(any) map[string]any {
		return func(v any) map[string]any {
			for i := len(keys) - 1; i >= 0; i-- {
				v = map[string]any{keys[i]: v}
			}
			return v.(map[string]any)
		}
	}
	limit := func(key string) func(any) map[string]any {
		return func(v any) map[string]any {
			return map[string]any{"limits": []any{map[string]any{"name": "l", "key": []any{"metric.name"}, key: v}}}
		}
	}
	for field, at := range map[string]func(any) map[string]any{
		"window::generations":              within("window", "generations"),
		"tracker::exact_up_to":             within("tracker", "exact_up_to"),
		"tracker::memory_limit_mib":        within("tracker", "memory_limit_mib"),
		"tracker::max_keys":                within("tracker", "max_keys"),
		"reaggregate::max_tracked_streams": within("reaggregate", "max_tracked_streams"),
		"top_offenders::count":             within("top_offenders", "count"),
		"limits::0::max_series":            limit("max_series"),
		"limits::0::max_values":            limit("max_values"),
		"limits::0::overrides::0::max_series": func(v any) map[string]any {
			return map[string]any{"limits": []any{map[string]any{
				"name": "l", "key": []any{"metric.name"}, "max_series": 1,
				"overrides": []any{map[string]any{"match": map[string]any{"metric.name": "a"}, "max_series": v}},
			}}}
		},
		"limits::0::overrides::0::max_values": func(v any) map[string]any {
			return map[string]any{"limits": []any{map[string]any{
				"name": "l", "key": []any{"metric.name"}, "max_values": 1,
				"overrides": []any{map[string]any{"match": map[string]any{"metric.name": "a"}, "max_values": v}},
			}}}
		},
	} {
		must := func(v any) error {
			cfg := createDefaultConfig().(*Config)
			if err := confmap.NewFromStringMap(at(v)).Unmarshal(cfg); err != nil {
				return err
			}
			return confmap.Validate(cfg)
		}
		require.NoError(t, must(2), field)
		require.NoError(t, must(2.0), field)
		for _, v := range []any{math.MaxInt64, math.MinInt64} {
			require.ErrorContains(t, must(v), field+": must be from ", "%v", v)
		}
		for _, v := range []any{2.5, 1e30, -1e30, math.NaN(), math.Inf(1), math.Inf(-1), uint64(math.MaxUint64)} {
			require.ErrorContains(t, must(v), field+": must be a whole number ", "%v", v)
		}
	}
}

func TestUnknownKeysAreRefused(t *testing.T) {
	for text, conf := range map[string]map[string]any{
		`top_offenders::counts: must be one of count, log_examples (got "counts")`: {"top_offenders": map[string]any{"counts": 10}},
		`limits::0::max_serie: must be one of`:                                     {"limits": []any{map[string]any{"name": "l", "max_serie": 1}}},
		`labels::0::matc: must be one of`:                                          {"labels": []any{map[string]any{"matc": map[string]any{}}}},
		`cluster::redis::urls: must be one of`:                                     {"cluster": map[string]any{"redis": map[string]any{"urls": "a"}}},
		`insecur`:                                                                  {"cluster": map[string]any{"redis": map[string]any{"tls": map[string]any{"insecur": true}}}},
		`window`:                                                                   {"window": map[string]any{"duration": "an hour"}},
	} {
		require.ErrorContains(t, confmap.NewFromStringMap(conf).Unmarshal(createDefaultConfig()), text, "%v", conf)
	}
}
