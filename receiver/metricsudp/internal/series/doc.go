// Package series turns lines into series and their values.
//
// Each reader has a [Table]: it maps the raw bytes of a line's name, kind and tags
// to a share of a [Series] without parsing them again, and adds the line's values
// to that share. For lines it knows a Table allocates nothing, and takes no lock but
// a pool's, once for many histograms or sets.
// Only a line seen for the first time goes through the [Registry] that all tables
// have in common, under its mutex.
//
// What becomes of a metric's values is its [Aggregation], decided when the metric is
// registered: it chooses the kind of share that readers add to and the kind of value
// that the flusher merges shares into. Histograms and sets of members come from pools
// and go back when they are empty. All of it is charged to one budget; what is
// refused goes to the overflow series of the metric.
//
// A share has two halves, one an epoch. [Table.Swap], called by the reader between
// two batches, retires the epoch in use; from then until the next Swap the retired
// one belongs to whoever received it, the flusher, which merges the shares of all
// readers into the Series ([Epoch.Merge]). The state of a Series that is not its
// identity belongs to the flusher alone.
package series
