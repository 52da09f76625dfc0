// Package series turns lines into series and their values.
//
// Each reader has a [Table]: it maps the raw bytes of a line's name, kind and tags
// to a share of a [Series] without parsing them again, and adds the line's values
// to that share. A Table takes no lock and allocates nothing for lines it knows.
// Only a line seen for the first time goes through the [Registry] that all tables
// have in common, under its mutex.
//
// A share has two halves, one an epoch. [Table.Swap], called by the reader between
// two batches, retires the epoch in use; from then until the next Swap the retired
// one belongs to whoever received it, the flusher, which merges the shares of all
// readers into the Series ([Epoch.Merge]). The state of a Series that is not its
// identity belongs to the flusher alone.
package series
