// Package snapshot keeps state in a key-value store so that it survives the process.
//
// The state consists of sections, which are written independently of each other. A section is a sequence of chunks of at
// most chunkBytes, so that no value of the store is large. Each section has two slots. A write fills the slot that is not
// in use. Then it sets one value, the manifest, which names the slot in use of each section:
//
//	fold.0.0  fold.0.1  fold.0.2            <- named by the manifest
//	fold.1.0  fold.1.1                      <- being written
//	manifest  {seed, fold: slot 0, 3 chunks, CRC}
//
// If the process ends at any moment, the store contains either the old or the new manifest, with all chunks that it names.
// So a write is atomic if the store sets a single value atomically. The price is storage for two copies of each section.
package snapshot
