package health

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each change is reported once, in order. The component is healthy if no signal has a trouble.
func TestHealth(t *testing.T) {
	var reported []string
	h := New(func(c Change) {
		line := c.Signal + " " + c.Trouble.String() + ": "
		if c.Err != nil {
			line += c.Err.Error()
		}
		if c.Component == nil {
			line += "; well"
		}
		reported = append(reported, line)
	})
	h.Set("logs", Appending, nil)
	h.Set("logs", Appending, errors.New("first"))
	h.Set("logs", Appending, errors.New("second"))
	h.Set("traces", Refused, errors.New("third"))
	require.EqualError(t, h.LogErr("logs"), "the log takes no data: first")
	require.NoError(t, h.LogErr("traces"), "its logs are well")
	require.NoError(t, h.LogErr("metrics"))
	assert.True(t, h.Has("traces", Refused))
	h.Report(func(err error) {
		assert.EqualError(t, err, "logs: the log takes no data: first\ntraces: the downstream refuses the signal: third")
	})
	h.Set("logs", Appending, nil)
	h.Set("traces", Refused, nil)
	assert.Equal(t, []string{
		"logs the log takes no data: first",
		"traces the downstream refuses the signal: third",
		"logs the log takes no data: ",
		"traces the downstream refuses the signal: ; well",
	}, reported)
}
