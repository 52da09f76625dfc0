package gatewaystate

// Buckets is the state of a bucketing processor. Its numbers equal those of the processor's metrics.
type Buckets struct {
	Converted  int64 `json:"converted"` // points
	Passed     int64 `json:"passed"`    // points of matched metrics that keep their layout
	Dropped    int64 `json:"dropped"`   // invalid points
	Repaired   int64 `json:"repaired"`  // points
	Violations int64 `json:"violations"`
	Streams    int64 `json:"streams"`
}
