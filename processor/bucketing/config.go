package bucketing

import (
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// Config is the processor's configuration.
type Config struct {
	// ErrorMode says what an invalid point does to its batch: ignore leaves it to
	// on_invalid, propagate refuses the batch with the reason.
	ErrorMode string `mapstructure:"error_mode"`
	// OnInvalid says what happens to histogram points whose counts or bounds contradict
	// themselves, in any metric: drop or pass. A rule may say otherwise for its metrics.
	OnInvalid string `mapstructure:"on_invalid"`
	// Rules are tried in order; the first that matches a metric decides.
	Rules []RuleConfig `mapstructure:"rules"`
}

// RuleConfig is one rule.
type RuleConfig struct {
	Match  MatchConfig  `mapstructure:"match"`
	Target TargetConfig `mapstructure:"target"`
	// Split says how the observations of a bucket that must be split are assumed to
	// lie in it: auto, log, linear, pchip, upper or midpoint; forbid leaves such points
	// alone.
	Split string `mapstructure:"split"`
	// MaxRankError is the largest error of the cumulative share, at any target bound,
	// that a delta point may get; 1 is off.
	MaxRankError float64 `mapstructure:"max_rank_error"`
	// Cumulative is about cumulative streams.
	Cumulative CumulativeConfig `mapstructure:"cumulative"`
	// OnInvalid replaces the processor's on_invalid for the rule's metrics; empty
	// keeps it.
	OnInvalid string `mapstructure:"on_invalid"`
}

// MatchConfig selects metrics; what is empty selects all, of types all histograms.
type MatchConfig struct {
	// MetricNames are regular expressions (RE2), anchored at both ends.
	MetricNames []string `mapstructure:"metric_names"`
	// Types are histogram and exponential_histogram, which are the default, and gauge.
	Types []string `mapstructure:"types"`
	// Unit is the metric's unit, which must be the same text.
	Unit string `mapstructure:"unit"`
	// Resource has the keys resource.<attribute>, each a regular expression or a list of them, anchored at both
	// ends; the attribute must be there and match one.
	Resource map[string]any `mapstructure:",remain"`
}

// TargetConfig has exactly one target.
type TargetConfig struct {
	Explicit    *ExplicitConfig    `mapstructure:"explicit"`
	Exponential *ExponentialConfig `mapstructure:"exponential"`
	Limit       *LimitConfig       `mapstructure:"limit"`
}

// ExplicitConfig has either bounds or a preset.
type ExplicitConfig struct {
	// Bounds are increasing, in the metric's unit; each is the inclusive upper bound
	// of a bucket.
	Bounds []float64 `mapstructure:"bounds"`
	// Preset is latency_ms, otel, prometheus or pow2.
	Preset string `mapstructure:"preset"`
}

// ExponentialConfig bounds an exponential layout.
type ExponentialConfig struct {
	// MaxScale is the finest scale, -10 to 20.
	MaxScale int `mapstructure:"max_scale"`
	// MaxSize is the number of buckets for each sign.
	MaxSize int `mapstructure:"max_size"`
	// ZeroThreshold is the least magnitude that is not zero, in the metric's unit.
	ZeroThreshold float64 `mapstructure:"zero_threshold"`
}

// LimitConfig bounds the number of buckets.
type LimitConfig struct {
	// MaxBuckets counts all of them: open ends, both signs and the zero bucket.
	MaxBuckets int `mapstructure:"max_buckets"`
	// Strategy chooses the bounds of an explicit histogram that stay: min_error by
	// counts, so that the largest error at a bound left out is least; uniform
	// spaces them evenly by position.
	Strategy string `mapstructure:"strategy"`
	// Pin are bounds of explicit histograms that stay where they are present.
	Pin []float64 `mapstructure:"pin"`
}

// CumulativeConfig is about cumulative streams that are split.
type CumulativeConfig struct {
	// Mode is stateless, which converts each point by itself, or stateful, which
	// adds the increase since the point before to what was emitted.
	Mode string `mapstructure:"mode"`
	// WorkingScale is the scale to which exponential points come before they are split.
	WorkingScale int `mapstructure:"working_scale"`
	// OnViolation says what happens to a point that cannot continue what was emitted
	// of its stream: reset, hold or drop.
	OnViolation string `mapstructure:"on_violation"`
	// MaxStreams is the number of streams for which stateful mode has room.
	MaxStreams int `mapstructure:"max_streams"`
}

const (
	defaultMaxScale     = 8
	defaultMaxSize      = 160
	defaultWorkingScale = 3
	// defaultMaxStreams take at most 35 MB: see convert.NewStreams.
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

// Unmarshal refuses keys that do not exist, by their paths, and numbers that decoding would change.
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

// Unmarshal sets the defaults of a rule; elements of a list have no other place
// for them.
func (c *RuleConfig) Unmarshal(conf *confmap.Conf) error {
	c.Split, c.MaxRankError = "auto", 1
	c.Cumulative = CumulativeConfig{
		Mode: modeStateless, WorkingScale: defaultWorkingScale, OnViolation: "reset", MaxStreams: defaultMaxStreams,
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
