// Package oversize bounds what senders choose: the texts, the nesting and the number of what a
// datapoint and its surroundings carry.
//
// A text or a value over its bound is cut and ends in a hash of the whole, so that distinct values
// stay distinct series. What cannot be cut without becoming another series, such as a point with too
// many attributes of its own, is refused.
//
// Input cannot choose the depth of the stack: recursion ends where a bound is exceeded, and what is
// hashed whole is walked with a list of what is left to visit. Every function takes time in
// proportion to its input, sorting aside.
package oversize
