// Package offenders names the metrics and keys that are over their limits. It estimates how many series wanted a place and
// found none, which keys and which metrics they belong to, and which of their labels have many values. Its memory is bounded,
// whatever senders do.
//
//	offence -> sketch of the limit         number of series
//	        -> ranking of keys             of limits whose key does not contain the metric: the service, the tenant
//	        -> ranking of metrics
//	             (each ranking)
//	             -> sample -> chooses the offenders that get a profile
//	             -> profile -> labels      values of each label
//
// HyperLogLog sketches count distinct series and values. A sample of the distinct series without a place decides which
// offenders get a profile. The share of an offender in the sample is its share in all such series. So a large offender is
// found even if thousands of small ones came first, or if another one repeats few series often.
//
// The labels of a profile count the values of all series that want a place, including those that have one. While there is a
// subscriber (Board.Subscribe), they also count the series that would be left without the label.
//
// All counts are over the last half to full window, because places are remembered for as long.
package offenders
