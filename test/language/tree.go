package language

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
)

// otherFolders belong to git, the build or npm, or contain the input of tests.
var otherFolders = []string{".git", "bin", "bin-debian", "data", "dist", "node_modules", "testdata"}

// generatedPage is the page that mdatagen generates from metadata.yaml. The check reads the latter.
const generatedPage = "documentation.md"

// Tree returns the findings in all files below the root, sorted by path.
func Tree(root fs.FS) ([]Finding, error) {
	var out []Finding
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains(otherFolders, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		extension := path.Ext(name)
		if !slices.Contains([]string{".go", ".md", ".yaml", ".yml"}, extension) || entry.Name() == generatedPage {
			return nil
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
		var found []Finding
		switch extension {
		case ".go":
			found, err = Go(name, content)
		case ".md":
			found = Markdown(name, string(content))
		default:
			found = YAML(name, string(content))
		}
		out = append(out, found...)
		return err
	})
	return out, err
}
