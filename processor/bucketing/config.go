package bucketing

import (
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// Config is the processor's configuration.
type Config struct {
	// ErrorMode is the effect of an invalid point on its batch: with ignore on_invalid applies to the point, with
	// propagate the batch is refused with the reason.
	ErrorMode string `mapstructure:"error_mode"`
	// OnInvalid is the treatment of invalid histogram points in all metrics: drop, pass or repair. A rule may replace it
	// for its metrics.
	OnInvalid string `mapstructure:"on_invalid"`
	// Rules are tried in order. The first one that matches a metric applies.
	Rules []RuleConfig `mapstructure:"rules"`
}

// RuleConfig is one rule.
type RuleConfig struct {
	Match  MatchConfig  `mapstructure:"match"`
	Target TargetConfig `mapstructure:"target"`
	// Split is the assumed distribution of observations in a bucket that must be split: auto, log, linear, pchip, upper or
	// midpoint. With forbid such points are not converted.
	Split string `mapstructure:"split"`
	// MaxRankError bounds the error of a delta point's cumulative share at any target bound. 1 means unbounded.
	MaxRankError float64 `mapstructure:"max_rank_error"`
	// Cumulative has the settings for cumulative streams.
	Cumulative CumulativeConfig `mapstructure:"cumulative"`
	// OnInvalid replaces the processor's on_invalid for the rule's metrics, unless it is empty.
	OnInvalid string `mapstructure:"on_invalid"`
}

// MatchConfig selects metrics. An empty field selects all metrics; empty Types select all histograms.
type MatchConfig struct {
	// MetricNames are regular expressions (RE2), anchored at both ends.
	MetricNames []string `mapstructure:"metric_names"`
	// Types may contain histogram, exponential_histogram and gauge. The first two are the default.
	Types []string `mapstructure:"types"`
	// Unit must equal the metric's unit.
	Unit string `mapstructure:"unit"`
	// Resource has the keys resource.<attribute>. Each value is a regular expression, anchored at both ends, or a list of
	// them. The attribute must exist and match one of them.
	Resource map[string]any `mapstructure:",remain"`
}

// TargetConfig must have exactly one target.
type TargetConfig struct {
	Explicit    *ExplicitConfig    `mapstructure:"explicit"`
	Exponential *ExponentialConfig `mapstructure:"exponential"`
	Limit       *LimitConfig       `mapstructure:"limit"`
}

// ExplicitConfig must have either bounds or a preset.
type ExplicitConfig struct {
	// Bounds are the inclusive upper bounds of buckets, increasing, in the metric's unit.
	Bounds []float64 `mapstructure:"bounds"`
	// Preset is latency_ms, otel, prometheus or pow2.
	Preset string `mapstructure:"preset"`
}

// ExponentialConfig bounds an exponential layout.
type ExponentialConfig struct {
	// MaxScale is the finest scale, -10 to 20.
	MaxScale int `mapstructure:"max_scale"`
	// MaxSize is the maximum number of buckets per sign.
	MaxSize int `mapstructure:"max_size"`
	// ZeroThreshold is the largest magnitude that counts as zero, in the metric's unit.
	ZeroThreshold float64 `mapstructure:"zero_threshold"`
}

// LimitConfig bounds the number of buckets.
type LimitConfig struct {
	// MaxBuckets is the maximum number of all buckets: open ends, both signs and the zero bucket included.
	MaxBuckets int `mapstructure:"max_buckets"`
	// Strategy chooses the bounds of an explicit histogram that are kept. min_error uses the counts and minimises the
	// largest error at a removed bound; uniform spaces the bounds evenly by position.
	Strategy string `mapstructure:"strategy"`
	// Pin has bounds that are kept if an explicit histogram has them.
	Pin []float64 `mapstructure:"pin"`
}

// CumulativeConfig has the settings for cumulative streams whose buckets are split.
type CumulativeConfig struct {
	// Mode is stateless or stateful. stateless converts each point independently. stateful adds the increase since the
	// last point to the counts that were emitted last.
	Mode string `mapstructure:"mode"`
	// WorkingScale is the scale to which exponential points are reduced before they are split.
	WorkingScale int `mapstructure:"working_scale"`
	// OnViolation is the treatment of a point that cannot continue the emitted stream: `reset`, `hold` or `drop`.
	OnViolation string `mapstructure:"on_violation"`
	// MaxStreams is the maximum number of streams that stateful mode remembers.
	MaxStreams int `mapstructure:"max_streams"`
}

const (
	defaultMaxScale     = 8
	defaultMaxSize      = 160
	defaultWorkingScale = 3
	// defaultMaxStreams need at most 35 MB; see convert.NewStreams.
	defaultMaxStreams = 10_000
)

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
	_ confmap.Unmarshaler = (*RuleConfig)(nil)
	_ confmap.Unmarshaler = (*ExponentialConfig)(nil)
	_ confmap.Unmarshaler = (*LimitConfig)(nil)
)

func createDefaultConfig() component.Config {
	return &Config{ErrorMode: "ignore", OnInvalid: onInvalidDrop}
}

// Unmarshal refuses unknown keys, with their paths, and numbers that decoding would change.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	var e check.Errors
	raw := conf.ToStringMap()
	check.Known(&e, raw, c)
	check.Whole(&e, raw, c)
	if err := e.Err(); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// Unmarshal sets the defaults of a rule. The default configuration has no rules, so it cannot contain them.
func (c *RuleConfig) Unmarshal(conf *confmap.Conf) error {
	c.Split, c.MaxRankError = "auto", 1
	c.Cumulative = CumulativeConfig{
		Mode: modeStateless, WorkingScale: defaultWorkingScale, OnViolation: violationReset, MaxStreams: defaultMaxStreams,
	}
	return conf.Unmarshal(c)
}

// Unmarshal sets the defaults of an exponential target.
func (c *ExponentialConfig) Unmarshal(conf *confmap.Conf) error {
	c.MaxScale, c.MaxSize = defaultMaxScale, defaultMaxSize
	return conf.Unmarshal(c)
}

// Unmarshal sets the defaults of a limit.
func (c *LimitConfig) Unmarshal(conf *confmap.Conf) error {
	c.Strategy = strategyUniform
	return conf.Unmarshal(c)
}
