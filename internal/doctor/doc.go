// Package doctor finds traps in a Collector configuration: settings that are valid, but do not do what their author wants.
// Examples are data that is acknowledged too early, a listener that is open to everybody, and a limit that a flood of
// names evades.
//
// The package reads a resolved configuration as nested maps and does not depend on the Collector. Check examines a
// configuration of this distribution; From compares one of otelcol-contrib with the distribution.
package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding describes one trap.
type Finding struct {
	Where   string // path of the setting, with :: between its parts
	Problem string // consequence of the setting
	Fix     string // what to write instead
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s\n    %s", f.Where, f.Problem, f.Fix)
}

// Check returns the traps of a configuration, sorted by path. volumes describes the file system of a log directory; if it
// is nil, directories are not checked.
func Check(resolved map[string]any, volumes Volumes) []Finding {
	c := newConfig(resolved)
	var all []Finding
	for _, rule := range []func(*config) []Finding{
		earlyAcknowledgement, memoryLimiter, unusedProcessors, batchSizes, deltasOnThePage, collidingNames, collidingOrigins, openListeners, compressedRequests, unboundLimits,
	} {
		all = append(all, rule(c)...)
	}
	if volumes != nil {
		all = append(all, logDirectories(c, volumes)...)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Where, b.Where) })
	return all
}
