package load

// Ledger is what left the process. Its sums are exact where the values sent are:
// every value is a multiple of 1/4, so float64 holds their sums without rounding up to 2^51.
type Ledger struct {
	Endpoint       string                 `json:"endpoint"`
	Seed           uint64                 `json:"seed"`
	ElapsedSeconds float64                `json:"elapsed_seconds"`
	LinesPerSecond float64                `json:"lines_per_second"`
	Datagrams      uint64                 `json:"datagrams"`
	Bytes          uint64                 `json:"bytes"` // payload, without headers
	Lines          uint64                 `json:"lines"`
	SendErrors     uint64                 `json:"send_errors"` // times the kernel refused a datagram; what it refused is not in the ledger
	Metrics        map[string]MetricTotal `json:"metrics"`     // by metric name, without the series number where Tags is 0
}

// MetricTotal is what was sent under one metric name.
type MetricTotal struct {
	Type   string  `json:"type"` // StatsD type
	Series int     `json:"series"`
	Lines  uint64  `json:"lines"`
	Count  float64 `json:"count"`            // values, each weighted by 1/sample rate
	Sum    float64 `json:"sum"`              // of the values, each weighted by 1/sample rate; 0 for sets
	Last   float64 `json:"last,omitempty"`   // gauges: sum over the series of the value sent last
	Unique int     `json:"unique,omitempty"` // sets: sum over the series of distinct members
}
