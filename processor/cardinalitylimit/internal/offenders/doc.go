// Package offenders names what is over its limit: how many series wanted a place and found none, which metrics they
// belong to, and which of their labels has the many values. All of it is bounded, whatever senders do.
//
//	offence -> sketch of the limit      how many
//	        -> sample -> who gets a profile
//	        -> profile -> labels        by what
//
// Distinct things are counted by HyperLogLog sketches, and who deserves a profile is decided from a sample of the
// distinct series that found no place, in which everybody has the share that he has among all of them: neither a flood
// of small offenders nor one that sends the same series often hides a large one.
//
// What is counted is of the last half to full window, as places are remembered.
package offenders
