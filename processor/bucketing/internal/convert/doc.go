// Package convert converts the histograms of a metric to a target layout.
//
// A point passes four steps: load -> plan -> apply -> store. It is loaded and checked (internal/histpoint). A bounded
// cache returns the plan for its layout, or the plan is built (internal/rebucket). The plan converts the counts into
// scratch memory, from which they are stored. If the data type does not change, points are rewritten in place. If it
// changes, points move one by one to the new type.
//
// If only some points of a metric can change type, the metric becomes two metrics with the same name, unit and
// description: one with the converted points, and one with the others. A metric has one data type in OTLP. If all points
// kept their type because one of them is invalid, the layout of a valid stream would depend on other streams.
package convert
