package harness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Eventually checks a condition at once and then every period until it is met, and fails the test after the limit. In contrast
// to require.Eventually, the condition runs in the goroutine of the test, so it may use require.
func Eventually(t testing.TB, condition func() bool, limit, every time.Duration, what ...any) {
	t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !condition(); <-tick.C {
		if !time.Now().Before(deadline) {
			require.Fail(t, "not within "+limit.String(), what...)
		}
	}
}
