package limit

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// surroundings are what a cursor knows of a metric and what contains it.
type surroundings struct {
	resource pcommon.Resource
	scope    pcommon.InstrumentationScope
	metric   pmetric.Metric
	exempt   bool
	watching bool // some limit has profiles for the metric

	resourceID, scopeID  uint64
	metricHash, streamID uint64 // of the metric alone; of the metric where it is
	nameHash             uint64 // of the metric's name; 0: nobody asked
	remains              remains
	// ownStreamID and scopeID are those of the metric as it came in, streamID and leftScopeID what a rule leaves.
	ownStreamID, leftScopeID uint64
}

// groupKeys are the hashes of a limit for a metric.
type groupKeys struct {
	key  [sources]uint64 // hash of the key down to each level
	fold uint64          // hash of what an overflow series inherits of the key
	skip bool            // the limit does not apply to the metric
	// watched are the profiles of the offenders that the metric belongs to; where the key has attributes of points, each
	// point has profiles of its own, and watchPoint says that there may be some.
	watched    offenders.Pair
	watchPoint bool
}

// Save remembers where the cursor is, and returns a number for Return.
func (c *Cursor) Save() int {
	c.saved = append(c.saved, c.surroundings)
	for i := range c.groups {
		c.savedKeys = append(c.savedKeys, c.groups[i].groupKeys)
	}
	return len(c.saved) - 1
}

// Return moves the cursor back to where it was at a call of Save.
func (c *Cursor) Return(to int) {
	c.surroundings, c.resourceRead = c.saved[to], false
	for i := range c.groups {
		c.groups[i].groupKeys = c.savedKeys[to*len(c.groups)+i]
	}
}

// forgetSaved releases the batch.
func (c *Cursor) forgetSaved() {
	clear(c.saved)
	clear(c.savedKeys)
	c.saved, c.savedKeys = c.saved[:0], c.savedKeys[:0]
}
