package gatewaystate

import "time"

// Log is the state of a fallbacklog exporter. Its numbers equal those of the exporter's metrics.
type Log struct {
	// Exporter is the type of the wrapped exporter, empty without one.
	Exporter string `json:"exporter"`
	// Breaker is closed, half_open or open. BreakerSince is when it was closed last or, if it is not closed, when it left that
	// state: attempts in between do not change it.
	Breaker      string    `json:"breaker"`
	BreakerSince time.Time `json:"breaker_since"`
	// Since is when data began to go to the log, nil unless it does or is still in it.
	Since *time.Time `json:"since"`
	// LastError is that of the last attempt that failed, empty outside an outage.
	LastError string `json:"last_error"`
	// Refuses is why a batch would be refused now, empty if data is safe.
	Refuses string `json:"refuses"`
	OnFull  string `json:"on_full"`
	Replay  bool   `json:"replay"`
	// CapacityBytes is what the logs of all signals may use together, UsedBytes what they use.
	CapacityBytes int64 `json:"capacity_bytes"`
	UsedBytes     int64 `json:"used_bytes"`
	OrphanedBytes int64 `json:"orphaned_bytes"`
	// SecondsToFull is nil unless the logs grow, SecondsToDrained unless they shrink; it is 0 for empty logs.
	SecondsToFull    *float64    `json:"seconds_to_full"`
	SecondsToDrained *float64    `json:"seconds_to_drained"`
	Signals          []LogSignal `json:"signals"`
}

// LogSignal is one signal of a fallbacklog exporter.
type LogSignal struct {
	Signal string   `json:"signal"` // metrics, traces or logs
	Items  LogItems `json:"items"`
	// FoundBytes are unread bytes that the start found. Their items are in no count until they leave the log.
	FoundBytes      int64   `json:"found_bytes"`
	UnreadBytes     int64   `json:"unread_bytes"`
	DiskBytes       int64   `json:"disk_bytes"`
	OldestSeconds   float64 `json:"oldest_seconds"` // age of the oldest segment with unread records
	DeadLetterBytes int64   `json:"dead_letter_bytes"`
	Degraded        string  `json:"degraded"` // why the log does not work, empty if it does
}

// LogItems counts spans, points or log records since the start. Received is the sum of DeliveredDirect,
// DeliveredReplayed, DeadLettered, Dropped, Rejected, Expired and what waits in the log, less what waited at the start.
type LogItems struct {
	Received          int64 `json:"received"`
	DeliveredDirect   int64 `json:"delivered_direct"`
	DeliveredReplayed int64 `json:"delivered_replayed"`
	Logged            int64 `json:"logged"`
	DeadLettered      int64 `json:"dead_lettered"`
	Dropped           int64 `json:"dropped"`
	Rejected          int64 `json:"rejected"` // returned to the caller with an error
	Expired           int64 `json:"expired"`
	Late              int64 `json:"late"`
}

// Waiting is what is left in the log of what was received since the start. It is negative if more was delivered from an
// earlier run than waits now.
func (n LogItems) Waiting() int64 {
	return n.Received - n.DeliveredDirect - n.DeliveredReplayed - n.DeadLettered - n.Dropped - n.Rejected - n.Expired
}
