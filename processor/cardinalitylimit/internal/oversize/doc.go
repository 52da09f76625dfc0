// Package oversize bounds the attributes of a datapoint, its resource, scope and metric: their lengths, their nesting and
// their number.
//
// A text or a value over its bound is cut and ends in a hash of the whole value. So distinct values stay distinct series. A
// point that would become another series by the cut, such as a point with too many attributes, is refused.
//
// Input cannot choose the depth of the stack. The recursion ends where a bound is exceeded, and the hash of a whole value
// uses a list of values to visit instead of recursion. The time of every function is proportional to its input, apart from
// sorting.
package oversize
