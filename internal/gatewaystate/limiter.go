package gatewaystate

import "time"

// Limiter is the state of a cardinalitylimit processor. Its numbers equal those of the processor's metrics.
type Limiter struct {
	// DryRun is true if no limit changes anything.
	DryRun bool `json:"dry_run"`
	// MeasuredAt is when limits and offenders were measured: once per reaggregate::flush_interval.
	MeasuredAt time.Time     `json:"measured_at"`
	Window     time.Duration `json:"window"` // ns
	Limits     []Limit       `json:"limits"`
	// Offenders are the metrics with the most series without a place, the largest first.
	Offenders []Offender `json:"offenders"`
	// Keys are the keys of several metrics that together want more places than they have, the largest first. Their Metric
	// is empty.
	Keys []Offender `json:"offending_keys"`
	// Points are incoming points by what became of them.
	Points LimiterPoints `json:"points"`
	// Dropped are points that folding lost, by reason.
	Dropped []Count `json:"dropped"`
	// MemoryBytes of MemoryLimitBytes are reserved. Refusals counts what found no memory.
	MemoryBytes      int64 `json:"memory_bytes"`
	MemoryLimitBytes int64 `json:"memory_limit_bytes"`
	Refusals         int64 `json:"memory_refusals"`
	// Cluster is nil where the limits count for this gateway alone.
	Cluster *Cluster `json:"cluster,omitempty"`
}

// LimiterPoints counts points since the start. Each incoming point is in one of Passed, Tagged, Stripped, Overflowed and
// Dropped.
type LimiterPoints struct {
	Passed     int64 `json:"passed"`
	Tagged     int64 `json:"tagged"`
	Stripped   int64 `json:"stripped"`   // folded into a series without the label
	Overflowed int64 `json:"overflowed"` // folded into the overflow series
	Dropped    int64 `json:"dropped"`    // by action drop
	WouldBe    int64 `json:"would_be"`   // to which a dry run objected; they are in one of the others, too
	Emitted    int64 `json:"emitted"`    // of series that points were folded into, accepted downstream
}

// Limit is one entry of limits::, or a rule of labels::.
type Limit struct {
	Name   string `json:"name"`
	Action string `json:"action"`
	DryRun bool   `json:"dry_run"`
	// Counts is series or values: what the places are for.
	Counts string `json:"counts"`
	// Max is the number of places of one key, overrides aside.
	Max    int64 `json:"max"`
	Series int64 `json:"series"` // places in use, over all keys
	Keys   int64 `json:"keys"`
	Near   int64 `json:"near"` // keys with at least warn_at of their places in use
	// Fullest is the key with the largest share of its places in use.
	Fullest      string  `json:"fullest"`
	FullestShare float64 `json:"fullest_share"`
	// Refused estimates the distinct series, or values, that found no place in the last half to full window.
	Refused int64 `json:"refused"`
}

// Offender is a metric, or a key of several metrics, that wants more places than the key has.
type Offender struct {
	Limit  string `json:"limit"`
	Action string `json:"action"`
	DryRun bool   `json:"dry_run"`
	Metric string `json:"metric"`
	Key    string `json:"key"` // the limit's key with its values, the metric aside; empty where all data is one key
	Counts string `json:"counts"`
	// Wanted is the number of places that it would need, Admitted those in use under its key, Max those that exist.
	Wanted   int64 `json:"wanted"`
	Admitted int64 `json:"admitted"`
	Max      int64 `json:"max"`
	// Labels are those of the refused series, the one with the most values first.
	Labels []Label `json:"labels"`
	// WhatIf is what the offender would need without one of its labels, the smallest number first.
	WhatIf []WhatIf `json:"what_if,omitempty"`
}

// Label is a label of an offender.
type Label struct {
	Name     string   `json:"name"`
	Values   int64    `json:"values"` // estimate of its distinct values
	Examples []string `json:"examples,omitempty"`
}

// WhatIf is the number of series that a metric would have without a label.
type WhatIf struct {
	Label string `json:"label"`
	// Series is the estimate without the label, Wanted the estimate with it.
	Series int64 `json:"series"`
	Wanted int64 `json:"wanted"`
	// Partial is true until a whole window has been seen: both numbers may still grow.
	Partial bool `json:"partial"`
	// Remedy is the YAML that brings it about. It has passed the validation of the configuration.
	Remedy string `json:"remedy"`
}
