package gatewaystate

import "strings"

// State is what one component publishes. One of the pointers is set.
type State struct {
	// Component is the ID in the configuration, such as fallbacklog/backend.
	Component string   `json:"component"`
	Limiter   *Limiter `json:"limiter,omitempty"`
	Log       *Log     `json:"log,omitempty"`
	UDP       *UDP     `json:"udp,omitempty"`
	Buckets   *Buckets `json:"buckets,omitempty"`
}

// MaxText bounds every text of a state, in bytes.
const MaxText = 256

// Clip returns at most MaxText bytes of a text, as valid UTF-8 in memory of its own.
func Clip(s string) string {
	if len(s) > MaxText {
		s = s[:MaxText]
	}
	return strings.Clone(strings.ToValidUTF8(s, ""))
}

// Count is a number of items with the reason for them.
type Count struct {
	Reason string `json:"reason"`
	Items  int64  `json:"items"`
}
