//go:build race

package series

// raceDetector is true with the race detector, which makes measurements of the heap slow and wrong.
const raceDetector = true
