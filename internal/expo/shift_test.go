package expo

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShiftToFit(t *testing.T) {
	require.Equal(t, int32(0), shiftToFit(0, 159, 160))
	require.Equal(t, int32(1), shiftToFit(0, 160, 160))
	require.Equal(t, int32(1), shiftToFit(-1, 1, 2))
	require.Equal(t, int32(32), shiftToFit(math.MinInt32, math.MaxInt32+math.MaxUint16, 2))
}
