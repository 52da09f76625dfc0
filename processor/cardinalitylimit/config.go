package cardinalitylimit

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// Config is the configuration of the processor. createDefaultConfig and defaultLimit contain the defaults.
type Config struct {
	// Mode is enforce or dry_run. A dry run makes the same decisions and changes no data.
	Mode    string        `mapstructure:"mode"`
	Window  WindowConfig  `mapstructure:"window"`
	Tracker TrackerConfig `mapstructure:"tracker"`
	// Storage is the ID of a storage extension that keeps the state over a restart.
	Storage *component.ID `mapstructure:"storage"`
	// SnapshotInterval is the interval at which the whole state is stored.
	SnapshotInterval time.Duration `mapstructure:"snapshot_interval"`
	// InstanceID is a name of this gateway that survives restarts. The default is the host name.
	InstanceID string `mapstructure:"instance_id"`
	// AttributeLimits bound the data that senders choose, before any other step reads it.
	AttributeLimits AttributeLimitsConfig `mapstructure:"attribute_limits"`
	Admission       AdmissionConfig       `mapstructure:"admission"`
	Exempt          ExemptConfig          `mapstructure:"exempt"`
	// Labels are rules that remove labels before all limits.
	Labels      []LabelsConfig    `mapstructure:"labels"`
	Limits      []LimitConfig     `mapstructure:"limits"`
	Reaggregate ReaggregateConfig `mapstructure:"reaggregate"`
	// Cluster makes several gateways share the places of the limits. Without it the limits apply to this gateway alone.
	Cluster *ClusterConfig `mapstructure:"cluster"`
	// TopOffenders configures how metrics over a limit are named.
	TopOffenders OffendersConfig `mapstructure:"top_offenders"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// WindowConfig is the time that an unseen series keeps its place.
type WindowConfig struct {
	Duration    time.Duration `mapstructure:"duration"`
	Generations int           `mapstructure:"generations"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// TrackerConfig bounds the memory of admission.
type TrackerConfig struct {
	ExactUpTo         int     `mapstructure:"exact_up_to"`
	FalsePositiveRate float64 `mapstructure:"false_positive_rate"`
	// MemoryLimitMiB bounds the memory of trackers and re-aggregation state together.
	MemoryLimitMiB int `mapstructure:"memory_limit_mib"`
	MaxKeys        int `mapstructure:"max_keys"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// AttributeLimitsConfig bounds the length, the nesting and the number of attributes. 0 turns a bound off.
type AttributeLimitsConfig struct {
	MaxCount      int `mapstructure:"max_count"`
	MaxNameBytes  int `mapstructure:"max_name_bytes"`
	MaxValueBytes int `mapstructure:"max_value_bytes"`
	MaxDepth      int `mapstructure:"max_depth"`
	MaxBuckets    int `mapstructure:"max_buckets"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// AdmissionConfig decides which series get the last places of a key.
type AdmissionConfig struct {
	// ContestedAt is the share of used places of a key from which on a new series must have been active before.
	ContestedAt float64 `mapstructure:"contested_at"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// ExemptConfig selects the metrics to which no limit applies.
type ExemptConfig struct {
	// Metrics are regular expressions that must match the whole name.
	Metrics []string `mapstructure:"metrics"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// LimitConfig is a limit. Exactly one of MaxSeries and MaxValues is set.
type LimitConfig struct {
	Name string `mapstructure:"name"`
	// Match contains "metrics", a list of regular expressions, and resource.<name>, scope.name and metadata.<name>
	// with the value that each must have. The limit applies to the metrics that match.
	Match     map[string]any `mapstructure:"match"`
	Key       []string       `mapstructure:"key"`
	Count     string         `mapstructure:"count"`
	MaxSeries int            `mapstructure:"max_series"`
	MaxValues int            `mapstructure:"max_values"`
	// Labels are regular expressions for the names of the labels whose values are counted. Except are expressions for those
	// whose values are not. Without either, the values of all labels are counted.
	Labels    []string         `mapstructure:"labels"`
	Except    []string         `mapstructure:"except"`
	WarnAt    float64          `mapstructure:"warn_at"`
	Action    string           `mapstructure:"action"`
	DryRun    bool             `mapstructure:"dry_run"`
	Overrides []OverrideConfig `mapstructure:"overrides"`
	// zeroValues is true if max_values is present and 0.
	zeroValues bool
	// prevent unkeyed literal initialization
	_ struct{}
}

// LabelsConfig removes labels from the metrics that match. Exactly one of Drop and Keep is set.
type LabelsConfig struct {
	// Match contains "metrics", a list of regular expressions, and resource.<name> with the value it must have.
	Match map[string]any `mapstructure:"match"`
	// Drop and Keep are regular expressions that must match the whole name of an attribute; those that begin with
	// "resource." are about attributes of resources.
	Drop []string `mapstructure:"drop"`
	Keep []string `mapstructure:"keep"`
	// Gauge is last, min, max, sum or drop.
	Gauge      string `mapstructure:"gauge"`
	MaxStreams int    `mapstructure:"max_streams"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// OverrideConfig gives the matching keys another maximum.
type OverrideConfig struct {
	// Match contains "metrics", a list of regular expressions, and parts of the key with the value that each must have.
	Match     map[string]any `mapstructure:"match"`
	MaxSeries int            `mapstructure:"max_series"`
	MaxValues int            `mapstructure:"max_values"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// ReaggregateConfig configures how points over a limit become one series.
type ReaggregateConfig struct {
	FlushInterval time.Duration `mapstructure:"flush_interval"`
	// MaxTrackedStreams bounds outgoing series and incoming cumulative streams together.
	MaxTrackedStreams int `mapstructure:"max_tracked_streams"`
	// Gauge is drop, last, min, max or sum.
	Gauge string `mapstructure:"gauge"`
	// FirstValue is evidence or start. It decides how a cumulative stream is recognised as new, so that its first value counts.
	FirstValue string `mapstructure:"first_value"`
	// IdleTimeout is the time after which a silent stream no longer counts in a sum of live streams.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// OffendersConfig configures the naming of metrics over a limit.
type OffendersConfig struct {
	// Count is the number of named metrics. 0 names none.
	Count int `mapstructure:"count"`
	// LogExamples adds values of labels to the log record. They may identify people.
	LogExamples bool `mapstructure:"log_examples"`
	// prevent unkeyed literal initialization
	_ struct{}
}

const (
	modeEnforce = "enforce"
	modeDryRun  = "dry_run"

	countAttributes = "attributes"
	countStreams    = "streams"

	defaultMaxStreams = 50_000 // of a rule for labels
)

func createDefaultConfig() component.Config {
	return &Config{
		Mode:   modeEnforce,
		Window: WindowConfig{Duration: time.Hour, Generations: 2},
		Tracker: TrackerConfig{
			ExactUpTo: 65_536, FalsePositiveRate: 1e-4, MemoryLimitMiB: 64, MaxKeys: 100_000,
		},
		Admission: AdmissionConfig{ContestedAt: 0.8},
		AttributeLimits: AttributeLimitsConfig{
			MaxCount: 128, MaxNameBytes: 512, MaxValueBytes: 4096, MaxDepth: 8, MaxBuckets: 2048,
		},
		Reaggregate: ReaggregateConfig{
			FlushInterval: 15 * time.Second, MaxTrackedStreams: 100_000, Gauge: "drop",
			FirstValue: "evidence", IdleTimeout: 5 * time.Minute,
		},
		SnapshotInterval: 30 * time.Second,
		TopOffenders:     OffendersConfig{Count: 10},
	}
}

// defaultLimit contains the defaults of a configured limit.
var defaultLimit = LimitConfig{Count: countAttributes, WarnAt: 0.8, Action: "overflow"}

// defaultLimits are used if no limit is configured. They are not part of the default Config, because decoding would merge the
// user's list into them.
var defaultLimits = []LimitConfig{{
	Name: "metric", Key: []string{"resource.service.namespace", "resource.service.name", "metric.name"},
	Count: countAttributes, MaxSeries: 500, WarnAt: 0.8, Action: "overflow",
}}

var (
	_ confmap.Unmarshaler = (*Config)(nil)
	_ confmap.Unmarshaler = (*LimitConfig)(nil)
	_ confmap.Unmarshaler = (*LabelsConfig)(nil)
)

// Unmarshal decodes the configuration. It refuses unknown keys, with their paths, and numbers that decoding would change.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	dropNulls(conf)
	var e check.Errors
	raw := conf.ToStringMap()
	check.Known(&e, raw, c)
	check.Whole(&e, raw, c)
	if err := e.Err(); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// Unmarshal sets the defaults of a limit and decodes it. The defaults are set here because a list has no default elements.
func (c *LimitConfig) Unmarshal(conf *confmap.Conf) error {
	*c = defaultLimit
	dropNulls(conf)
	err := conf.Unmarshal(c)
	c.zeroValues = c.MaxValues == 0 && conf.IsSet("max_values")
	return err
}

// Unmarshal sets the defaults of a rule and decodes it.
func (c *LabelsConfig) Unmarshal(conf *confmap.Conf) error {
	*c = LabelsConfig{Gauge: "last", MaxStreams: defaultMaxStreams}
	dropNulls(conf)
	return conf.Unmarshal(c)
}

// dropNulls removes keys without a value. Decoding would read them as zero, which is a valid value of some keys.
func dropNulls(conf *confmap.Conf) {
	for _, key := range conf.AllKeys() {
		if conf.Get(key) == nil {
			conf.Delete(key)
		}
	}
}

// limits returns the configured limits, or the default.
func (c *Config) limits() []LimitConfig {
	if len(c.Limits) == 0 {
		return defaultLimits
	}
	return c.Limits
}
