// Package rebucket converts the counts of a histogram from one layout of buckets to another.
//
// A layout is a list of increasing bounds. Bucket i counts (bounds[i-1], bounds[i]]; the first bucket extends down to
// -Inf and the last one up to +Inf. In an exponential layout scale and index give the bounds.
//
// A target bound that is also a source bound cuts no bucket. A target bound inside a source bucket cuts it, and [Split]
// determines the share of the bucket's count below the cut:
//
//	source   |         100         |   40   |
//	target   |    :  |         :            |
//	shares   | .2 .3 |   .5    :     40     |
//	              cuts of one bucket are a balanced tree of binary splits
//
// Apply serves cumulative streams. It splits n observations by a share p into a lower part L and a higher part R:
//
//	L = high 64 bits of n * floor(p * 2^64),   R = n - L
//
// This is integer arithmetic, so L + R = n exactly, and both parts never decrease when n grows: if n grows by one, either
// L or R does. The shares depend on the layouts alone, never on counts. So no bucket of a cumulative stream's output
// decreases unless one of its input does. Rounding each part to the nearest integer would not guarantee that.
//
// Fit serves delta points, which are independent of each other. It rounds the cumulative count at each cut to the
// nearest integer. The minimum and the maximum become the ends of the outermost occupied buckets, with one observation at
// each of them. [PCHIP] bends the line within a bucket towards the denser neighbour.
//
// Observations above the source's last bound go to the target's highest bucket. If the source's first bound is above
// zero, its lowest bucket begins at zero. Otherwise the observations of the lowest bucket go to the target's lowest
// bucket. In Fit a known minimum or maximum replaces these rules.
//
// Plans are immutable and safe for concurrent use.
package rebucket
