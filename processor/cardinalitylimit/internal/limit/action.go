// Package limit decides on a datapoint: which limits apply to it, whether its series has a place in each, and which action
// applies if it has none.
//
// Limits on values come first and remove labels. The limits on series then use the remaining identity. If several limits have
// no place for it, the strongest of their actions applies. A point that leaves as its own series gets its places. A folded or
// dropped point gets none.
//
// The package has more than 2,000 lines because a decision locks the keys of all limits from the first check to the last
// commit, so the cursor, the tables of trackers and the rules share their state.
package limit

import "fmt"

// Action is what happens to a point over a limit. A greater action is stronger.
type Action uint8

// Actions, the weakest first.
const (
	Pass     Action = iota // the point exceeds no limit
	Tag                    // the point is marked with the limit's name and otherwise unchanged
	Strip                  // the point loses the labels over the limit and is folded with those of the same remaining labels
	Overflow               // the point is folded into one series of the key
	Drop                   // the point is discarded
	actions
)

var actionNames = [actions]string{"pass", "tag", "strip", "overflow", "drop"}

func (a Action) String() string { return actionNames[a] }

// ParseAction reads the action of a limit. Pass is not an action of a limit.
func ParseAction(s string) (Action, error) {
	for a := Tag; a < actions; a++ {
		if actionNames[a] == s {
			return a, nil
		}
	}
	return Pass, fmt.Errorf("must be overflow, drop, strip or tag (got %q)", s)
}
