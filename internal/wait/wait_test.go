package wait_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

func TestForEndsWithTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done, began := make(chan struct{}), time.Now()
		time.AfterFunc(time.Second, func() { close(done) })
		assert.True(t, wait.For(done, time.Minute))
		assert.Equal(t, time.Second, time.Since(began))
		assert.True(t, wait.For(done, 0), "a closed channel is ready without waiting")
		assert.True(t, wait.For(done, -1))
	})
}

func TestForEndsWithTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done, began := make(chan struct{}), time.Now()
		assert.False(t, wait.For(done, time.Minute))
		assert.Equal(t, time.Minute, time.Since(began))
		assert.False(t, wait.For(done, 0))
		assert.Equal(t, time.Minute, time.Since(began))
	})
}
