// Package offenders names what is over its limit: how many series wanted a place and found none, which keys and which
// metrics they belong to, and which of their labels has the many values. All of it is bounded, whatever senders do.
//
//	offence -> sketch of the limit         how many
//	        -> ranking of keys             of a limit whose key does not contain the metric: the service, the tenant
//	        -> ranking of metrics          of each
//	             -> sample -> who gets a profile
//	             -> profile -> labels      by what
//
// Distinct things are counted by HyperLogLog sketches. A sample of the distinct series that found no place decides who
// gets a profile. An offender's share of the sample is its share of all of them, so neither a flood of small offenders
// nor one that sends the same series often hides a large one.
//
// The labels of a profile count the values of all series that want a place, those that have one included. While
// somebody asks (Board.Subscribe) they also count the series that would be left without the label.
//
// Counts are of the last half to full window, as places are remembered.
package offenders
