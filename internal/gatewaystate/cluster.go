package gatewaystate

// Cluster is this gateway's part in a cluster of gateways that share the places of limits. Its numbers equal those of the
// processor's metrics.
type Cluster struct {
	// State is joined, degraded (the store of places has answered, and does not) or alone (it has not since the start).
	State string `json:"state"`
	// Gateways are those that announce themselves, this one included.
	Gateways int `json:"gateways"`
	// Limits are the places in use in all gateways together, by limit.
	Limits []ClusterLimit `json:"limits"`
	// Admitted, Members, Refused and Alone count series that were new here by the answer: they got a place, had one by
	// another gateway, got none, or got one while the store was away.
	Admitted int64 `json:"admitted"`
	Members  int64 `json:"members"`
	Refused  int64 `json:"refused"`
	Alone    int64 `json:"alone"`
	// LostPlaces counts series that lost their place when the store was back.
	LostPlaces int64 `json:"lost_places"`
	Failures   int64 `json:"failures"` // of exchanges with the store
	Losses     int64 `json:"losses"`   // times that the store lost writes
}

// ClusterLimit is the use of a limit in all gateways together.
type ClusterLimit struct {
	Name   string `json:"name"`
	Series int64  `json:"series"`
}
