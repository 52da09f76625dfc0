// Package convert applies a target layout to the histograms of a metric.
//
// A point flows load -> plan -> counts -> store: it is loaded and checked
// (internal/histpoint), a plan is found for its layout (internal/rebucket, kept in a
// bounded cache), the counts go through it into scratch space, and are stored. Where
// the data type stays, points are rewritten in place. Where it changes, points move
// one by one to the new type.
//
// A metric whose points cannot all change type becomes two metrics of the same
// name, unit and description: the converted points, and those that stay. OTLP has
// one data type for a metric, and keeping every point back because of one invalid
// one would make the layout of good streams depend on their neighbours.
package convert
