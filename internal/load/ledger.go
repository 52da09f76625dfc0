package load

// Ledger counts what left the process. Its sums are exact: every value is a multiple of 1/4, and float64 represents their
// sums without rounding up to 2^51.
type Ledger struct {
	Endpoint       string                 `json:"endpoint"`
	Seed           uint64                 `json:"seed"`
	ElapsedSeconds float64                `json:"elapsed_seconds"`
	LinesPerSecond float64                `json:"lines_per_second"`
	Datagrams      uint64                 `json:"datagrams"`
	Bytes          uint64                 `json:"bytes"` // payload, without headers
	Lines          uint64                 `json:"lines"`
	SendErrors     uint64                 `json:"send_errors"` // refusals by the kernel; refused datagrams are not in the ledger
	Metrics        map[string]MetricTotal `json:"metrics"`     // by metric name; with Tags 0 the name excludes the series number
}

// MetricTotal counts what was sent under one metric name.
type MetricTotal struct {
	Type   string  `json:"type"` // StatsD type
	Series int     `json:"series"`
	Lines  uint64  `json:"lines"`
	Count  float64 `json:"count"`            // number of values, each weighted by 1/sample rate
	Sum    float64 `json:"sum"`              // sum of the values, each weighted by 1/sample rate; 0 for sets
	Last   float64 `json:"last,omitempty"`   // gauges: sum of the last values of all series
	Unique int     `json:"unique,omitempty"` // sets: number of distinct members per series, summed over the series
}
