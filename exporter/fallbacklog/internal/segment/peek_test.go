package segment

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Peek returns the first unread record and the first one of the newest segment. It skips a segment that the disk cannot read.
func TestPeek(t *testing.T) {
	opt := smallSegments(t.TempDir())
	fsys := &faultyFS{}
	opt.FS = fsys
	l := open(t, opt)
	appendAll(t, l, long(30)...)
	for range 2 {
		e, _, err := l.Next()
		require.NoError(t, err)
		require.NoError(t, l.Done(e))
	}
	require.NoError(t, l.Close())
	opt.Budget = &Budget{Max: 1 << 30}
	l = open(t, opt)
	peek := func() (seen []string) {
		require.NoError(t, l.Peek(func(r []byte) error { seen = append(seen, string(r)); return nil }))
		return seen
	}
	assert.Equal(t, []string{long(30)[2], long(30)[24]}, peek())
	for _, op := range []string{"open", "read"} {
		fsys.fail = func(o, name string) error {
			if o == op && strings.HasPrefix(name, "00000000000000000001-") {
				return syscall.EIO
			}
			return nil
		}
		assert.Equal(t, []string{long(30)[24]}, peek(), op)
	}
	fsys.fail = nil
	errNo := errors.New("no")
	require.ErrorIs(t, l.Peek(func([]byte) error { return errNo }), errNo)
	assert.Equal(t, long(30)[2:], drain(t, l, true))
	assert.Empty(t, peek())
}
