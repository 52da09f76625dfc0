package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVolumeOfADirectoryThatIsMissing(t *testing.T) {
	volume, err := volumeOf(filepath.Join(t.TempDir(), "not", "yet"))
	require.NoError(t, err)
	assert.Positive(t, volume.Bytes)
}
