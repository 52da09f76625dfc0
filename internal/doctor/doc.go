// Package doctor finds traps in a Collector configuration that is valid and still does not do what its author wants: data
// that is acknowledged too early, a listener that anybody reaches, a limit that a flood of names passes.
//
// It reads a resolved configuration as nested maps and knows nothing of the Collector. Check examines a configuration of
// this distribution; From compares one of otelcol-contrib with it.
package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is one trap.
type Finding struct {
	Where   string // path of the setting, with :: between its parts
	Problem string // what happens
	Fix     string // what to write instead
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s\n    %s", f.Where, f.Problem, f.Fix)
}

// Check returns the traps of a configuration, in the order of their places. Volumes describes the file system of a log
// directory; nil leaves directories unchecked.
func Check(resolved map[string]any, volumes Volumes) []Finding {
	c := newConfig(resolved)
	var all []Finding
	for _, rule := range []func(*config) []Finding{
		earlyAcknowledgement, memoryLimiter, unusedProcessors, batchSizes, deltasOnThePage, collidingNames, openListeners, compressedRequests, unboundLimits,
	} {
		all = append(all, rule(c)...)
	}
	if volumes != nil {
		all = append(all, logDirectories(c, volumes)...)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Where, b.Where) })
	return all
}
