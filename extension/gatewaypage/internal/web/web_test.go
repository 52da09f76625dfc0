package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is copied from elsewhere is unchanged, and its licence is with it.
func TestUPlotIsAsPublished(t *testing.T) {
	sums, err := fs.ReadFile(Files(), "uplot/SHA256SUMS")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(sums)), "\n")
	require.Len(t, lines, 3)
	for _, line := range lines {
		sum, name, ok := strings.Cut(line, "  ")
		require.True(t, ok, line)
		content, err := fs.ReadFile(Files(), "uplot/"+name)
		require.NoError(t, err)
		got := sha256.Sum256(content)
		require.Equal(t, sum, hex.EncodeToString(got[:]), name)
	}
}

// Texts become text nodes: the module has no way to make markup of them, and names no other site.
func TestThePageMakesNoMarkupOfText(t *testing.T) {
	script, err := fs.ReadFile(Files(), "page.js")
	require.NoError(t, err)
	require.NotRegexp(t, `innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|srcdoc|setHTML`, string(script))
	elsewhere := regexp.MustCompile(`(?:https?:)?//[a-z0-9.-]+\.[a-z]+`)
	for _, name := range []string{"index.html", "page.js", "page.css"} {
		content, err := fs.ReadFile(Files(), name)
		require.NoError(t, err)
		for _, found := range elsewhere.FindAllString(string(content), -1) {
			require.Equal(t, "http://www.w3.org", found, name)
		}
		require.NotContains(t, string(content), "<style")
		require.NotRegexp(t, ` on[a-z]+=| style=`, string(content), "the content security policy forbids it")
	}
}

// Every file that is served exists, and every file of the page is served.
func TestServedFilesExist(t *testing.T) {
	paths := map[string]bool{}
	for _, name := range served {
		_, err := fs.Stat(Files(), name)
		require.NoError(t, err)
		paths[name] = true
	}
	index, err := fs.ReadFile(Files(), "index.html")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`(?:href|src)="/([^"]+)"`).FindAllStringSubmatch(string(index), -1) {
		require.True(t, paths[m[1]], m[1])
	}
}
