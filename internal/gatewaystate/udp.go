package gatewaystate

// UDP is the state of a metricsudp receiver as of its last flush. Its numbers equal those of the receiver's metrics.
type UDP struct {
	Endpoints   []string `json:"endpoints"`
	Transport   string   `json:"transport"`
	Datagrams   int64    `json:"datagrams"`
	Bytes       int64    `json:"bytes"`
	KernelDrops int64    `json:"kernel_drops"` // datagrams
	Denied      int64    `json:"denied"`       // datagrams of sources outside allowed_cidrs
	Truncated   int64    `json:"truncated"`    // datagrams
	Lines       int64    `json:"lines"`        // accepted
	Rejected    []Count  `json:"rejected"`     // lines, by reason; only reasons that occurred
	Overflowed  int64    `json:"overflowed"`   // values beyond limits::max_series
	Dropped     int64    `json:"dropped"`      // points with a time of their own, beyond buffer_size
	Series      int64    `json:"series"`
	BufferBytes int64    `json:"buffer_bytes"` // the smallest receive buffer, 0 if unknown
	// Readers are the datagrams of each reader in the last interval: their skew shows senders that share one socket.
	Readers []int64 `json:"readers"`
}
