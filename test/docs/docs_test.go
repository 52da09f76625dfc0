package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

var (
	// named is a test that a page names in code font, with an optional package: `TestX`, `segment/TestX`.
	named = regexp.MustCompile("`(?:[a-z0-9_/]+[/.])?((?:Test|Benchmark|Fuzz)[A-Z][A-Za-z0-9_]*)`")
	// defined is the declaration of a test.
	defined = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)[A-Z][A-Za-z0-9_]*)\(`)
	// located is a folder or file of the repository in code font.
	located = regexp.MustCompile("`((?:bench|cmd|configs|deploy|docs|exporter|internal|processor|receiver|test)/[A-Za-z0-9_./-]+)`")
	// link is a link to a file of the repository, with an optional anchor, or to an anchor of the same page.
	link = regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)\s]*))?\)`)
	// row is a row of docs/requirements.md.
	row = regexp.MustCompile(`(?m)^\| R(\d+) \|(.*)$`)
)

// walk visits the files with the suffix below the root. It skips the folders of git, the build and npm.
func walk(t *testing.T, suffix string, visit func(path, content string)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch entry.Name() {
			case ".git", "bin", "bin-debian", "data", "dist", "node_modules":
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, suffix) {
			return nil
		}
		content, err := os.ReadFile(path)
		if err == nil {
			visit(path, string(content))
		}
		return err
	}))
}

func TestPagesNameTestsThatExist(t *testing.T) {
	exists := map[string]bool{}
	walk(t, "_test.go", func(_, content string) {
		for _, m := range defined.FindAllStringSubmatch(content, -1) {
			exists[m[1]] = true
		}
	})
	mentioned := 0
	walk(t, ".md", func(path, content string) {
		for _, m := range named.FindAllStringSubmatch(content, -1) {
			mentioned++
			assert.True(t, exists[m[1]], "%s names %s, which does not exist", path, m[1])
		}
	})
	assert.Greater(t, mentioned, 50)
}

// Every link leads to a file, and its anchor to a heading of that page.
func TestLinksLeadToFiles(t *testing.T) {
	pages := map[string]string{} // by path
	walk(t, ".md", func(path, content string) { pages[path] = content })
	links, anchored := 0, 0
	for path, content := range pages {
		for _, m := range link.FindAllStringSubmatch(content, -1) {
			target, section := path, m[2]
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(path), m[1])
			}
			links++
			_, err := os.Stat(target)
			require.NoError(t, err, "%s links to %s", path, m[1])
			if section != "" {
				anchored++
				assert.True(t, anchors(pages[target])[section], "%s links to %s, which has no heading for #%s", path, target, section)
			}
		}
	}
	assert.Greater(t, links, 5)
	assert.Greater(t, anchored, 20)
}

func TestPagesNamePathsThatExist(t *testing.T) {
	paths := 0
	walk(t, ".md", func(path, content string) {
		for _, m := range located.FindAllStringSubmatch(content, -1) {
			if named.MatchString(m[0]) {
				continue // a test with its package
			}
			paths++
			_, err := os.Stat(filepath.Join(root, m[1]))
			assert.NoError(t, err, "%s names %s", path, m[1])
		}
	})
	assert.Positive(t, paths)
}

func TestRequirementsHaveEveryRowOnce(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "docs", "requirements.md"))
	require.NoError(t, err)
	rows := map[string]int{}
	for _, m := range row.FindAllStringSubmatch(string(content), -1) {
		rows[m[1]]++
		if strings.Contains(m[2], "| shown |") {
			assert.Regexp(t, named, m[2], "R%s is shown by a test", m[1])
		}
	}
	assert.Len(t, rows, 40)
	for number, times := range rows {
		assert.Equal(t, 1, times, "R%s", number)
	}
}

// TestSecondGatewayOfTheQuickstart: docs/quickstart.md starts a second gateway beside the first one. Every listener and directory
// of the configuration must be another one there.
func TestSecondGatewayOfTheQuickstart(t *testing.T) {
	configuration, err := os.ReadFile(filepath.Join(root, "configs", "quickstart.yaml"))
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "quickstart.md"))
	require.NoError(t, err)
	variables := regexp.MustCompile(`\$\{env:([A-Z_]+_(?:ENDPOINT|PORT|DIRECTORY)):-`).FindAllStringSubmatch(string(configuration), -1)
	require.Greater(t, len(variables), 8)
	for _, m := range variables {
		assert.Contains(t, string(page), m[1]+"=", "docs/quickstart.md")
	}
}

// TestNoMarksOfAMerge: no text of the repository has the marks that git writes where two changes meet.
func TestNoMarksOfAMerge(t *testing.T) {
	marks := regexp.MustCompile(`(?m)^(<{7}|>{7}) `)
	for _, suffix := range []string{".md", ".yaml", ".go", ".json", ".sh", "Makefile", "Dockerfile"} {
		walk(t, suffix, func(path, content string) {
			assert.False(t, marks.MatchString(content), path)
		})
	}
}
