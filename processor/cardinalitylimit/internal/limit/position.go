package limit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// position is a metric with its resource and scope, and their hashes.
type position struct {
	resource pcommon.Resource
	scope    pcommon.InstrumentationScope
	metric   pmetric.Metric
	exempt   bool
	profiled bool // a limit has profiles for the metric

	resourceID, scopeID  uint64
	metricHash, streamID uint64 // of the metric alone; of the metric with resource and scope
	nameHash             uint64 // of the metric's name; 0: not computed yet
	remaining            remainingResource
	// known identifies the metric, the generation, and the key of each limit up to the metric, see knownSeries. It is 0 if each limit
	// must be asked.
	known uint64
	// ownStreamID and scopeID are those of the unchanged metric. streamID and remainingScopeID are those after a rule.
	ownStreamID, remainingScopeID uint64
}

// metricState is the state of a limit for a metric.
type metricState struct {
	key      [sources]uint64 // hash of the key up to each level
	overflow uint64          // hash of the parts of the key that an overflow series has
	skip     bool            // the limit does not apply to the metric
	// profiles are those of the metric's offenders. If the key has attributes of points, each point has its own profiles, and
	// profilesByPoint is true if there may be some.
	profiles        offenders.Pair
	profilesByPoint bool
}

// Save saves the position of the cursor and returns its number for Return.
func (c *Cursor) Save() int {
	c.savedPositions = append(c.savedPositions, c.position)
	for i := range c.states {
		c.savedStates = append(c.savedStates, c.states[i].metricState)
	}
	return len(c.savedPositions) - 1
}

// Return moves the cursor back to a saved position.
func (c *Cursor) Return(to int) {
	c.position, c.resourceRead = c.savedPositions[to], false
	for i := range c.states {
		c.states[i].metricState = c.savedStates[to*len(c.states)+i]
	}
}

// forgetSaved removes all saved positions, so that the batch can be freed.
func (c *Cursor) forgetSaved() {
	clear(c.savedPositions)
	clear(c.savedStates)
	c.savedPositions, c.savedStates = c.savedPositions[:0], c.savedStates[:0]
}
