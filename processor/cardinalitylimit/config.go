package cardinalitylimit

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// Config of the processor. The zero value of what a user leaves out is the default:
// see createDefaultConfig and defaultLimit.
type Config struct {
	// Mode is enforce, or dry_run: the same decisions, nothing changed.
	Mode    string        `mapstructure:"mode"`
	Window  WindowConfig  `mapstructure:"window"`
	Tracker TrackerConfig `mapstructure:"tracker"`
	// Storage is the ID of a storage extension that keeps the state over a restart.
	Storage *component.ID `mapstructure:"storage"`
	// SnapshotInterval is how often all of the state is written to it.
	SnapshotInterval time.Duration `mapstructure:"snapshot_interval"`
	// InstanceID is a name of this gateway that stays; default the host name.
	InstanceID string `mapstructure:"instance_id"`
	// AttributeLimits bound what senders choose, before anything else looks at it.
	AttributeLimits AttributeLimitsConfig `mapstructure:"attribute_limits"`
	Admission       AdmissionConfig       `mapstructure:"admission"`
	Exempt          ExemptConfig          `mapstructure:"exempt"`
	// Labels are rules that remove labels before all limits.
	Labels      []LabelsConfig    `mapstructure:"labels"`
	Limits      []LimitConfig     `mapstructure:"limits"`
	Reaggregate ReaggregateConfig `mapstructure:"reaggregate"`
	// Cluster makes the limits count for several gateways together; nil: for this one.
	Cluster *ClusterConfig `mapstructure:"cluster"`
	// TopOffenders says how those over a limit are named.
	TopOffenders OffendersConfig `mapstructure:"top_offenders"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// WindowConfig says how long a series that is not seen keeps its place.
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
	// MemoryLimitMiB holds trackers and re-aggregation state together.
	MemoryLimitMiB int `mapstructure:"memory_limit_mib"`
	MaxKeys        int `mapstructure:"max_keys"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// AttributeLimitsConfig bounds texts, nesting and numbers of what a point carries. 0 turns one off.
type AttributeLimitsConfig struct {
	MaxCount      int `mapstructure:"max_count"`
	MaxNameBytes  int `mapstructure:"max_name_bytes"`
	MaxValueBytes int `mapstructure:"max_value_bytes"`
	MaxDepth      int `mapstructure:"max_depth"`
	MaxBuckets    int `mapstructure:"max_buckets"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// AdmissionConfig says who may have the last places of a key.
type AdmissionConfig struct {
	// ContestedAt is the share of a key's places from which on a new series must have been active before.
	ContestedAt float64 `mapstructure:"contested_at"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// ExemptConfig names what no limit sees.
type ExemptConfig struct {
	// Metrics are regular expressions that must match the whole name.
	Metrics []string `mapstructure:"metrics"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// LimitConfig is one limit: exactly one of MaxSeries and MaxValues is set.
type LimitConfig struct {
	Name string `mapstructure:"name"`
	// Match contains "metrics", a list of regular expressions, and resource.<name>, scope.name and metadata.<name>
	// with the value that each must have. The limit applies to what matches.
	Match     map[string]any `mapstructure:"match"`
	Key       []string       `mapstructure:"key"`
	Count     string         `mapstructure:"count"`
	MaxSeries int            `mapstructure:"max_series"`
	MaxValues int            `mapstructure:"max_values"`
	// Labels are regular expressions for the names of the labels whose values are counted, Except for those
	// whose values are not. Without either, those of all labels are.
	Labels    []string         `mapstructure:"labels"`
	Except    []string         `mapstructure:"except"`
	WarnAt    float64          `mapstructure:"warn_at"`
	Action    string           `mapstructure:"action"`
	DryRun    bool             `mapstructure:"dry_run"`
	Overrides []OverrideConfig `mapstructure:"overrides"`
	// zeroValues tells a max_values of 0 from an absent one.
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

// OverrideConfig gives the keys that match another maximum.
type OverrideConfig struct {
	// Match holds "metrics", a list of regular expressions, and parts of the key
	// with the value each must have.
	Match     map[string]any `mapstructure:"match"`
	MaxSeries int            `mapstructure:"max_series"`
	MaxValues int            `mapstructure:"max_values"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// ReaggregateConfig says how points over a limit become one series.
type ReaggregateConfig struct {
	FlushInterval time.Duration `mapstructure:"flush_interval"`
	// MaxTrackedStreams bounds outgoing series and incoming cumulative streams
	// together.
	MaxTrackedStreams int `mapstructure:"max_tracked_streams"`
	// Gauge is drop, last, min, max or sum.
	Gauge string `mapstructure:"gauge"`
	// FirstValue is evidence or start: what makes a cumulative stream a new one, whose
	// first value counts.
	FirstValue string `mapstructure:"first_value"`
	// IdleTimeout ends the share of a silent stream in a sum of live streams.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// OffendersConfig bounds the report on what is over its limit.
type OffendersConfig struct {
	// Count of metrics that are named; 0 names none.
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

// defaultLimit is what a limit is but for what the user says.
var defaultLimit = LimitConfig{Count: countAttributes, WarnAt: 0.8, Action: "overflow"}

// defaultLimits hold where none is configured. They are no part of the default
// Config: a list in it would shine through the user's own.
var defaultLimits = []LimitConfig{{
	Name: "metric", Key: []string{"resource.service.namespace", "resource.service.name", "metric.name"},
	Count: countAttributes, MaxSeries: 500, WarnAt: 0.8, Action: "overflow",
}}

var (
	_ confmap.Unmarshaler = (*Config)(nil)
	_ confmap.Unmarshaler = (*LimitConfig)(nil)
	_ confmap.Unmarshaler = (*LabelsConfig)(nil)
)

// Unmarshal refuses numbers that decoding would change.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	dropNulls(conf)
	var e check.Errors
	check.Whole(&e, conf.ToStringMap(), c)
	if err := e.Err(); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// Unmarshal sets the defaults of a limit; elements of a list have no other place for
// them.
func (c *LimitConfig) Unmarshal(conf *confmap.Conf) error {
	*c = defaultLimit
	dropNulls(conf)
	err := conf.Unmarshal(c)
	c.zeroValues = c.MaxValues == 0 && conf.IsSet("max_values")
	return err
}

// Unmarshal sets the defaults of a rule.
func (c *LabelsConfig) Unmarshal(conf *confmap.Conf) error {
	*c = LabelsConfig{Gauge: "last", MaxStreams: defaultMaxStreams}
	dropNulls(conf)
	return conf.Unmarshal(c)
}

// dropNulls makes keys without a value absent ones. Decoding takes them for zero, which is a valid number of offenders to
// name, or of series to keep exact.
func dropNulls(conf *confmap.Conf) {
	for _, key := range conf.AllKeys() {
		if conf.Get(key) == nil {
			conf.Delete(key)
		}
	}
}

// limits are those configured, or the default.
func (c *Config) limits() []LimitConfig {
	if len(c.Limits) == 0 {
		return defaultLimits
	}
	return c.Limits
}
