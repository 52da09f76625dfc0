// Package report makes what the gateway page shows, once per second and once for all viewers.
//
//	snapshot of the components ┐
//	the gateway's own metrics  ┼-> ledger -> rates -> verdict, times, residual -> Report -> JSON, text
//	pipelines                  ┘                  -> history, changes
package report

import (
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// APIVersion changes when a field changes its meaning or goes.
const APIVersion = 1

// Report is the answer of /api/v1/state. Every number that the page shows is a field of it.
type Report struct {
	APIVersion int       `json:"api_version"`
	At         time.Time `json:"at"`
	Instance   Instance  `json:"instance"`
	Verdict    Verdict   `json:"verdict"`
	Times      Times     `json:"times"`
	// Routes are the ways from receivers to an exporter, one for each signal.
	Routes []Route `json:"routes"`
	// Residual is the sum of the residuals that are known, null if none is.
	Residual *int64 `json:"residual"`
	// Lines are the ledger by component.
	Lines   []Line   `json:"ledger"`
	Saved   Saved    `json:"saved"`
	Changes []Change `json:"changes"` // the newest first
	// Offenders are those of all limiters, the largest first.
	Offenders []Offender `json:"offenders"`
	// Keys are the keys of several metrics that are over a limit, the largest first. Their metric is empty.
	Keys       []Offender           `json:"offending_keys"`
	Components []gatewaystate.State `json:"components"` // without offenders
	// LeftOff counts offenders and keys that had no room in this answer.
	LeftOff int `json:"left_off"`
}

// Offender is one of a limiter.
type Offender struct {
	Component string    `json:"component"`
	Since     time.Time `json:"since"` // when this page saw it first
	gatewaystate.Offender
}

// Instance is the gateway.
type Instance struct {
	Name    string    `json:"name"`
	Version string    `json:"version"`
	Started time.Time `json:"started"` // of the process
	// HistoryBegins is when this page began: a reload begins history anew.
	HistoryBegins time.Time `json:"history_begins"`
	Reloaded      bool      `json:"reloaded"` // the process had another configuration before
	MemoryBytes   int64     `json:"memory_bytes"`
	Peers         []string  `json:"peers"`
}

// Level is how bad it is.
type Level string

// The levels. The page shows each by a word and a sign, not by colour alone.
const (
	LevelOK   Level = "ok"   // nothing lost, nothing over a limit
	LevelBusy Level = "busy" // nothing lost; something is limited, waits or was lost earlier
	LevelBad  Level = "bad"  // data is lost or refused now
)

// Verdict is the answer to "is data being lost, and since when".
type Verdict struct {
	Level Level  `json:"level"`
	Text  string `json:"text"`
	// LosingNow is true if the ledger has a loss in the last minute.
	LosingNow bool `json:"losing_now"`
	// Ready is false while new data would be refused; Why says it.
	Ready bool       `json:"ready"`
	Why   string     `json:"why,omitempty"`
	Since *time.Time `json:"since"` // time of the oldest cause, null without one
	Parts []string   `json:"parts"`
	// Unknown is what this verdict does not cover.
	Unknown []string `json:"unknown"`
}

// Times say how long it lasts: null if it does not apply.
type Times struct {
	ToFullSeconds    *float64 `json:"to_full_seconds"`
	ToDrainedSeconds *float64 `json:"to_drained_seconds"`
}

// Kind is what became of data.
type Kind string

// The kinds.
const (
	In       Kind = "in"       // accepted by receivers
	Sent     Kind = "sent"     // the downstream has it
	Waiting  Kind = "waiting"  // in the local log
	Aside    Kind = "aside"    // in the dead letter
	Purpose  Kind = "purpose"  // folded, filtered or dropped as configured
	Returned Kind = "returned" // refused: the sender still has it
	Invalid  Kind = "invalid"  // what the sender made cannot be read
	Lost     Kind = "lost"
	Detail   Kind = "detail" // explains another line
)

// Line is an entry of the ledger.
type Line struct {
	Signal    string  `json:"signal"`
	Component string  `json:"component"`
	What      string  `json:"what"`
	Kind      Kind    `json:"kind"`
	Unit      string  `json:"unit"`
	Items     int64   `json:"items"`
	PerSecond float64 `json:"per_second"`
	// LastMinute is the growth in the last minute.
	LastMinute int64 `json:"last_minute"`
}

// Route is the way of one signal to one exporter. In is the sum of Removed, Sent, Waiting, Aside, Returned, Lost and the
// residual.
type Route struct {
	Signal   string `json:"signal"`
	Exporter string `json:"exporter"`
	Unit     string `json:"unit"`
	// In is what the receivers of its pipelines accepted, Removed what their processors left out on purpose. Pipelines in
	// front of a forward connector are among them. Both are null if they cannot be known.
	In       *Total `json:"in"`
	Removed  *Total `json:"removed"`
	Sent     Total  `json:"sent"`
	Waiting  Total  `json:"waiting"`
	Aside    Total  `json:"aside"`
	Returned Total  `json:"returned"`
	Lost     Total  `json:"lost"`
	// Residual is what nothing accounts for. It is the smallest of the last 15 s, so that data in flight is not in it. It is
	// null if it cannot be known, for the reason in Unknown.
	Residual *int64 `json:"residual"`
	Unknown  string `json:"unknown,omitempty"`
}

// Total is a sum of lines.
type Total struct {
	Items      int64   `json:"items"`
	PerSecond  float64 `json:"per_second"`
	LastMinute int64   `json:"last_minute"`
}

// Saved is what limits keep away from the backend.
type Saved struct {
	Series  int64    `json:"series"`
	Formula string   `json:"formula"`
	Cost    *float64 `json:"cost"` // null unless cost_per_1000_series is set
}

// Change is something that happened.
type Change struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}
