//go:build race

package bucketing

const raceEnabled = true
