// Package series maps lines to series and aggregates their values.
//
// Each reader has a [Table]. It maps the raw bytes of a line's name, kind, tags and origin to the reader's part of a [Series]
// without parsing them again, and adds the line's values to that part. For a line that it knows, a Table allocates nothing. It
// locks no mutex except that of a pool, once for several histograms or sets. An alias is one spelling of a series: the bytes of name, kind,
// tags and origin. A line without a known alias, or of an overflow series, goes through the [Registry] of all tables, under the
// registry's mutex.
//
// If series are separated by their senders, each series has an [Origin], which lives as long as the last of its series.
//
// The [Aggregation] of a metric determines how its values become points. It is chosen when the metric is registered, by its
// kind. For timers, histograms and distributions the [Observer] of the kind and the metric's name choose it. The aggregation
// determines the type of accumulator to which readers add, and the type of value into which the flusher merges. Histograms,
// samples and members of sets come from pools, one per configuration, and return there when they are empty. All memory is
// charged to one budget. If the budget refuses memory, values go to the overflow series of the metric. Values that become
// points of their own, such as those with a timestamp, are kept in the epoch instead of a part. Their number is limited.
//
// A part has two halves, one per epoch. [Table.Swap] retires the epoch in use; the reader calls it between two batches of
// datagrams. The retired epoch belongs to the flusher until the next Swap. The flusher merges the parts of all readers into
// the Series ([Epoch.Merge]). All state of a Series except its identity belongs to the flusher alone.
//
// The package is larger than 2,000 lines because its types share unexported state on the hot path: a table writes directly
// into the accumulators of six aggregations, and their memory, the aliases and the pools are charged to one budget. Packages
// per aggregation would need exported setters for each of them.
package series
