package limit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// surroundings are a metric and its resource and scope, with their hashes.
type surroundings struct {
	resource pcommon.Resource
	scope    pcommon.InstrumentationScope
	metric   pmetric.Metric
	exempt   bool
	watching bool // a limit has profiles for the metric

	resourceID, scopeID  uint64
	metricHash, streamID uint64 // of the metric alone; of the metric with resource and scope
	nameHash             uint64 // of the metric's name; 0: not computed yet
	remains              remains
	// ownStreamID and scopeID are those of the unchanged metric. streamID and remainingScopeID are those after a rule.
	ownStreamID, remainingScopeID uint64
}

// groupKeys are the hashes of a limit for a metric.
type groupKeys struct {
	key  [sources]uint64 // hash of the key up to each level
	fold uint64          // hash of the parts of the key that an overflow series has
	skip bool            // the limit does not apply to the metric
	// watched are the profiles of the metric's offenders. If the key has attributes of points, each point has its own profiles,
	// and watchPoint is true if there may be some.
	watched    offenders.Pair
	watchPoint bool
}

// Save saves the position of the cursor and returns its number for Return.
func (c *Cursor) Save() int {
	c.saved = append(c.saved, c.surroundings)
	for i := range c.states {
		c.savedKeys = append(c.savedKeys, c.states[i].groupKeys)
	}
	return len(c.saved) - 1
}

// Return moves the cursor back to a saved position.
func (c *Cursor) Return(to int) {
	c.surroundings, c.resourceRead = c.saved[to], false
	for i := range c.states {
		c.states[i].groupKeys = c.savedKeys[to*len(c.states)+i]
	}
}

// forgetSaved removes all saved positions, so that the batch can be freed.
func (c *Cursor) forgetSaved() {
	clear(c.saved)
	clear(c.savedKeys)
	c.saved, c.savedKeys = c.saved[:0], c.savedKeys[:0]
}
