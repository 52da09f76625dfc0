// Package snapshot keeps state in a key-value store so that it survives the process.
//
// The state is cut into sections that are written independently of each other, each
// as a sequence of chunks of at most [ChunkBytes], so that no value is huge. A
// section has two slots. A write fills the one that is not in use; then one value,
// the manifest, names the slots that hold:
//
//	fold.0.0  fold.0.1  fold.0.2            <- named by the manifest
//	fold.1.0  fold.1.1                      <- being written
//	manifest  {seed, fold: slot 0, 3 chunks, CRC}
//
// A process that dies at any moment leaves the manifest of before or the one of
// after, with all that they name: atomic wherever the store sets one value
// atomically. The cost is room for two of each section.
package snapshot
