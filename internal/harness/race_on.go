//go:build race

package harness

// Race is true in a build with the race detector. The detector allocates, and with it a sync.Pool drops entries.
const Race = true
