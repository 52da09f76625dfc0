//go:build !race

package fallbacklog

const raceEnabled = false
