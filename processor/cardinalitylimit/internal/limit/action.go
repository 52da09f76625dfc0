// Package limit decides what becomes of a datapoint: which limits it falls under,
// whether it has a place in each, and what happens where it has none.
//
// The chain of a point: label limits take labels away; the identity that remains
// meets the series limits; the strongest action of those that have no place for it
// wins. What leaves as its own series takes its places; what is folded or dropped
// takes none.
package limit

import "fmt"

// Action is what happens to a point over a limit, in the order of strength.
type Action uint8

// Actions, the weakest first.
const (
	Pass     Action = iota // no limit objects
	Tag                    // marked with the limit's name, otherwise untouched
	Strip                  // loses the labels over the limit, folded per remaining label set
	Overflow               // folded into one series of the key
	Drop                   // discarded
	actions
)

var actionNames = [actions]string{"pass", "tag", "strip", "overflow", "drop"}

func (a Action) String() string { return actionNames[a] }

// ParseAction reads the action of a limit; pass is not one.
func ParseAction(s string) (Action, error) {
	for a := Tag; a < actions; a++ {
		if actionNames[a] == s {
			return a, nil
		}
	}
	return Pass, fmt.Errorf("must be overflow, drop, strip or tag (got %q)", s)
}
