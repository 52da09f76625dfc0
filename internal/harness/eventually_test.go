package harness

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// failing is a test that may fail. FailNow panics.
type failing struct{ testing.TB }

func (failing) Errorf(string, ...any) {}
func (failing) FailNow()              { panic("failed") }

func TestEventually(t *testing.T) {
	for after, holds := range map[int]func(assert.TestingT, assert.PanicTestFunc, ...any) bool{
		1: assert.NotPanics, 5: assert.NotPanics, 100: assert.Panics,
	} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			holds(t, func() {
				Eventually(failing{t}, func() bool { calls++; return calls == after }, time.Second, 100*time.Millisecond)
			})
			assert.Equal(t, min(after, 11), calls, "at once, and after every period")
		})
	}
}
