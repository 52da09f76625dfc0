//go:build !race

package series

const raceDetector = false
