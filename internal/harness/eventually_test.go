package harness

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// failing is a test that may fail. FailNow ends the goroutine, as that of testing.T does.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Errorf(string, ...any) { f.failed = true }
func (*failing) FailNow()                { runtime.Goexit() }

func TestEventually(t *testing.T) {
	for after, fails := range map[int]bool{1: false, 5: false, 100: true} {
		synctest.Test(t, func(t *testing.T) {
			f, calls, ended := &failing{TB: t}, 0, make(chan struct{})
			go func() {
				defer close(ended)
				Eventually(f, func() bool { calls++; return calls == after }, time.Second, 100*time.Millisecond)
			}()
			<-ended
			assert.Equal(t, fails, f.failed)
			assert.Equal(t, min(after, 11), calls, "at once, and after every period")
		})
	}
}
