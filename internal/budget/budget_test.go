package budget

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBudget(t *testing.T) {
	b := New(10)
	assert.True(t, b.Reserve(7))
	assert.False(t, b.Reserve(4))
	assert.True(t, b.Reserve(3))
	assert.False(t, b.Reserve(1))
	assert.Equal(t, int64(2), b.Refused())
	b.Force(5)
	assert.Equal(t, int64(15), b.Used())
	b.Release(6)
	assert.True(t, b.Reserve(1))
}

func TestConcurrentReservationsFillItExactly(t *testing.T) {
	b := New(1000)
	var reserved [4]int
	var running sync.WaitGroup
	for i := range reserved {
		running.Go(func() {
			for b.Reserve(1) {
				reserved[i]++
				b.Reserve(5000) // fails, and has no effect on the others
			}
		})
	}
	running.Wait()
	assert.Equal(t, 1000, reserved[0]+reserved[1]+reserved[2]+reserved[3])
	assert.Equal(t, int64(1000), b.Used())
}
