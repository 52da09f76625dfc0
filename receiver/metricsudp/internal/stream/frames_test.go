package stream

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// All frames of a piece count, also those beyond maxFrames, and an overlong one after them ends the connection.
func TestManyFramesInAPiece(t *testing.T) {
	ts := serve(t, func(s *Options) { s.Framing, s.MaxBytes = Length, 65527 })
	c := ts.dial(t)
	const frames = 3 * maxFrames
	write(t, c, strings.Repeat(frame("a:1|c"), frames)+"\xff\xff\xff\xff")
	ended(t, c)
	assert.Equal(t, EndOverlongFrame, <-ts.ends)
	assert.Len(t, ts.wait(frames), frames)
}
