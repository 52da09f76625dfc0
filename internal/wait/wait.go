// Package wait bounds the time of waiting for a channel.
package wait

import "time"

// For waits until done is closed, or delivers a value, but no longer than limit. It reports whether done was ready; if it
// is ready at the same time as the limit ends, the result may be either. A limit of 0 or less does not wait.
func For(done <-chan struct{}, limit time.Duration) (ready bool) {
	select {
	case <-done:
		return true
	default:
	}
	if limit <= 0 {
		return false
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
