//go:build race

package series

// raceDetector makes measuring the heap slow, and what it measures another thing.
const raceDetector = true
