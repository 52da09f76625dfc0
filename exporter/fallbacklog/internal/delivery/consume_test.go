package delivery

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDeadline(t *testing.T) {
	now := time.Unix(100, 0)
	with := func(d time.Duration) context.Context {
		ctx, cancel := context.WithDeadline(context.Background(), now.Add(d))
		t.Cleanup(cancel)
		return ctx
	}
	assert.Equal(t, now.Add(5*time.Second), deadline(context.Background(), now, 5*time.Second))
	assert.Equal(t, now.Add(5*time.Second), deadline(with(time.Minute), now, 5*time.Second))
	assert.Equal(t, now.Add(2500*time.Millisecond), deadline(with(3*time.Second), now, 5*time.Second))
	assert.Equal(t, now.Add(200*time.Millisecond), deadline(with(400*time.Millisecond), now, 5*time.Second))
}
