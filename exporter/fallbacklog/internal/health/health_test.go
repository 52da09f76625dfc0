package health

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHealth(t *testing.T) {
	var told []string
	h := New(func(err error) { told = append(told, fmt.Sprint(err)) })
	h.Set("b", nil)
	h.Set("b", errors.New("away"))
	h.Set("b", errors.New("still away"))
	h.Set("a", errors.New("full"))
	h.Set("b", nil)
	h.Set("a", nil)
	h.Set("a", nil)
	assert.Equal(t, []string{"away", "full\naway", "full", "<nil>"}, told)
	h.Tell(func(err error) { assert.NoError(t, err) })
}

// Whoever hears of the changes knows the state: they come in their order.
func TestTheLastWordIsTheState(t *testing.T) {
	last := error(nil)
	h := New(func(err error) { last = err })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 1000 {
				h.Set(fmt.Sprint(i%2), errors.New("x"))
				h.Set(fmt.Sprint(i%2), nil)
			}
		})
	}
	wg.Wait()
	assert.NoError(t, last)
}
