package language

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTree checks the repository.
func TestTree(t *testing.T) {
	findings, err := Tree(os.DirFS("../.."))
	require.NoError(t, err)
	for _, f := range findings {
		assert.Fail(t, f.String())
	}
}

func TestTreeReadsEveryKindOfFile(t *testing.T) {
	findings, err := Tree(fstest.MapFS{
		"a/a.go":             {Data: []byte("// Package a is told.\npackage a\n")},
		"a/README.md":        {Data: []byte("# A\r\n\r\nIt is told\r\n")},
		"a/metadata.yaml":    {Data: []byte("description: is told\n")},
		"configs/b.yml":      {Data: []byte("# is told\n")},
		"a/documentation.md": {Data: []byte("is told\n")},
		"a/testdata/c.md":    {Data: []byte("is told\n")},
		"bin/d.md":           {Data: []byte("is told\n")},
		"a/script.sh":        {Data: []byte("# is told\n")},
	})
	require.NoError(t, err)
	var paths []string
	for _, f := range findings {
		assert.Equal(t, "is told", f.Word)
		paths = append(paths, f.Path)
	}
	assert.Equal(t, []string{"a/README.md", "a/a.go", "a/metadata.yaml", "configs/b.yml"}, paths)
}

func TestTreeNamesTheFileThatIsNotGo(t *testing.T) {
	_, err := Tree(fstest.MapFS{"a/a.go": {Data: []byte("package\n")}})
	assert.ErrorContains(t, err, "a/a.go")
}
