// Package rebucket moves the counts of a histogram from one layout of buckets to
// another.
//
// A layout is a list of increasing bounds; bucket i counts (bounds[i-1],
// bounds[i]], the first reaches down to -Inf and the last up to +Inf. An
// exponential layout is the same thing with its bounds given by scale and index.
//
// Bounds that source and target share cut nothing. A target bound inside a source
// bucket cuts it, and [Split] says which share of the bucket lies below the cut:
//
//	source   |         100         |   40   |
//	target   |    :  |         :            |
//	shares   | .2 .3 |   .5    :     40     |
//	              cuts of one bucket are a balanced tree of binary splits
//
// A split of n observations with share p gives the lower part
//
//	L = high 64 bits of n * floor(p * 2^64),   R = n - L
//
// in integer arithmetic, so that L + R = n exactly and both parts are
// non-decreasing in n: if n grows by one then L grows by 0 or 1 and R by the rest.
// Shares depend on the layouts alone, never on counts. So the output of a
// cumulative stream never decreases in any bucket while its input does not, which
// rounding each part by itself does not give. This is what Apply does.
//
// A delta point stands for itself. Fit rounds the cumulative count at each cut to the
// nearest integer, makes minimum and maximum the ends of the outermost occupied
// buckets and as one observation each, and bends the line within a bucket towards its
// denser neighbour ([PCHIP]).
//
// Counts above the source's last bound go to the target's highest bucket, and to its
// lowest those of a lowest bucket whose bound is not above zero. A lowest bucket with
// a bound above zero begins at zero. A point's minimum and maximum say otherwise.
//
// Plans are immutable and safe for concurrent use.
package rebucket
