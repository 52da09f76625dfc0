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

// Unmarshal reads compatibility first, as it says which defaults the other keys are
// laid over. It refuses numbers that decoding would change.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	var e check.Errors
	check.Whole(&e, conf.ToStringMap(), c)
	if err := e.Err(); err != nil {
		return err
	}
	statsd := conf.Get("compatibility") == compatibilityStatsd
	if statsd {
		c.setStatsdDefaults()
		conf.Delete("dialer") // of outgoing connections, of which neither receiver makes any
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

// setStatsdDefaults replaces the defaults that contrib's statsd receiver has
// otherwise; README.md lists them.
func (c *Config) setStatsdDefaults() {
	c.AggregationInterval = time.Minute
	c.AlignInterval = false // it counts intervals from its start
	c.IsMonotonicCounter = false
	c.EnableSimpleTags = false
	c.Gauges.Signed = signedInterval
	c.TimerHistogramMapping = []MappingConfig{
		{StatsdType: statsdTimer, ObserverType: observerGauge},
		{StatsdType: statsdHistogram, ObserverType: observerGauge},
		{StatsdType: statsdDistribution, ObserverType: observerGauge},
	}
	c.BufferSize = 100_000 // each value is a point by itself; it has no bound there
}

// setStatsdMeaning gives keys that are set to nothing, or have no effect, what they
// mean to contrib's statsd receiver.
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

// timerUnit is the unit of timers' metrics. The statsd receiver sets none, and with one the Prometheus exporter's names
// would change; there is no such configuration with seconds.
func (c *Config) timerUnit() string {
	if c.Compatibility == compatibilityStatsd && c.TimerUnit == timerMilliseconds {
		return ""
	}
	return c.TimerUnit
}
