package metricsudp

import (
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// The values of compatibility.
const (
	compatibilityNone   = "none"
	compatibilityStatsd = "statsd" // contrib's statsd receiver
)

var _ confmap.Unmarshaler = (*Config)(nil)

// Unmarshal reads compatibility first, because it determines the defaults of the other keys. It refuses numbers that decoding
// would change.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	var e check.Errors
	check.Whole(&e, conf.ToStringMap(), c)
	if err := e.Err(); err != nil {
		return err
	}
	statsd := conf.Get("compatibility") == compatibilityStatsd
	if statsd {
		c.setStatsdDefaults()
		conf.Delete("dialer") // configures outgoing connections; neither receiver opens any
	}
	if err := conf.Unmarshal(c); err != nil {
		return err
	}
	if statsd {
		c.setStatsdMeaning()
	}
	if !conf.IsSet("series_expiry") {
		c.SeriesExpiry = max(c.SeriesExpiry, minExpiry*min(c.AggregationInterval, maxInterval))
	}
	return nil
}

// setStatsdDefaults sets the defaults of contrib's statsd receiver. docs/metricsudp/switching.md lists them.
func (c *Config) setStatsdDefaults() {
	c.AggregationInterval = time.Minute
	c.AlignInterval = false // contrib's intervals begin at its start
	c.IsMonotonicCounter = false
	c.EnableSimpleTags = false
	c.Gauges.Signed = signedInterval
	c.TimerHistogramMapping = []MappingConfig{
		{StatsdType: statsdTimer, ObserverType: observerGauge},
		{StatsdType: statsdHistogram, ObserverType: observerGauge},
		{StatsdType: statsdDistribution, ObserverType: observerGauge},
	}
	c.BufferSize = 100_000 // each value is a point of its own; contrib does not bound them
}

// setStatsdMeaning gives keys that are empty, or have no effect, the meaning that they have in contrib's statsd receiver.
func (c *Config) setStatsdMeaning() {
	if c.Endpoint == "" {
		c.Endpoint = defaultEndpoint
	}
	if c.CounterType == "" {
		c.CounterType = counterInt
	}
	if !c.isUnix() {
		c.SocketPermissions = nil
	}
}

// timerUnit returns the unit of timers' metrics. Contrib's statsd receiver sets none. With a unit the names in the Prometheus
// exporter would change, so compatibility with it leaves out the unit of milliseconds. Contrib cannot convert timers to seconds,
// so seconds always have their unit.
func (c *Config) timerUnit() string {
	if c.Compatibility == compatibilityStatsd && c.TimerUnit == timerMilliseconds {
		return ""
	}
	return c.TimerUnit
}
