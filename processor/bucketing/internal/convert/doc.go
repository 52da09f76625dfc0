// Package convert applies a target layout to the histograms of a metric.
//
// A metric flows plan -> counts -> points: for the layout of each point a plan is
// found (internal/rebucket, kept in a bounded cache), the counts go through it into
// scratch space, and the point is rewritten. Where the data type stays, points are
// rewritten in place. Where it changes, points move one by one to the new type.
//
// A metric whose points cannot all change type becomes two metrics of the same
// name, unit and description: the converted points, and those that stay. OTLP has
// one data type for a metric, and holding every point back because of one invalid
// one would make the layout of good streams depend on their neighbours.
package convert
