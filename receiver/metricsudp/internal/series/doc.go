// Package series turns lines into series and their values.
//
// Each reader has a [Table]: it maps the raw bytes of a line's name, kind, tags
// and origin to a share of a [Series] without parsing them again, and adds the line's
// values to that share. For lines it knows a Table allocates nothing, and takes no lock but
// a pool's, once for many histograms or sets.
// Only a line seen for the first time goes through the [Registry] that all tables
// have in common, under its mutex.
//
// Where series are kept apart by where they come from, each has an [Origin], which
// lives as long as the last of its series.
//
// What becomes of a metric's values is its [Aggregation], decided when the metric is
// registered: by its kind, and for timers, histograms and distributions by the
// [Observer] of that kind and by the metric's name. It chooses the kind of share that
// readers add to and the kind of value that the flusher merges shares into.
// Histograms, samples and sets of members come from pools, one for each
// configuration, and go back when they are empty. All of it is charged to one budget;
// what is refused goes to the overflow series of the metric. Values that become
// points by themselves are in no share but in the epoch, like those with a timestamp,
// and there is a limit to their number.
//
// A share has two halves, one an epoch. [Table.Swap], called by the reader between
// two batches, retires the epoch in use; from then until the next Swap the retired
// one belongs to whoever received it, the flusher, which merges the shares of all
// readers into the Series ([Epoch.Merge]). The state of a Series that is not its
// identity belongs to the flusher alone.
package series
