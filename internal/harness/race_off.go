//go:build !race

package harness

// Race reports whether the race detector runs. It allocates, and with it a sync.Pool drops entries.
const Race = false
