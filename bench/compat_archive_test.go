package bench

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the receivers emit to testdata/compat")

// archive is a text file with comment lines and sections. A section begins with "-- name --".
type archive struct {
	path     string
	comment  string
	sections []section
}

type section struct{ name, text string }

func archives(t *testing.T, folder string) []*archive {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "compat", folder, "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	all := make([]*archive, len(paths))
	for i, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		all[i] = parseArchive(string(content))
		all[i].path = path
	}
	return all
}

func parseArchive(content string) *archive {
	a := &archive{}
	into := &a.comment
	for line := range strings.Lines(content) {
		if name, ok := strings.CutPrefix(line, "-- "); ok {
			if name, ok = strings.CutSuffix(name, " --\n"); ok {
				a.sections = append(a.sections, section{name: name})
				into = &a.sections[len(a.sections)-1].text
				continue
			}
		}
		*into += line
	}
	return a
}

func (a *archive) get(name string) string {
	for i := range a.sections {
		if a.sections[i].name == name {
			return a.sections[i].text
		}
	}
	return ""
}

// golden compares a section with the observed text. With -update it writes the text to the file.
func (a *archive) golden(t *testing.T, name, got string) {
	t.Helper()
	if !*update {
		require.Equal(t, a.get(name), got, "%s: %s (go test -run Statsd -update . writes it)", a.path, name)
		return
	}
	for i := range a.sections {
		if a.sections[i].name == name {
			a.sections[i].text = got
			a.write(t)
			return
		}
	}
	a.sections = append(a.sections, section{name, got})
	a.write(t)
}

func (a *archive) write(t *testing.T) {
	t.Helper()
	b := bytes.NewBufferString(a.comment)
	for _, s := range a.sections {
		b.WriteString("-- " + s.name + " --\n" + s.text)
	}
	require.NoError(t, os.WriteFile(a.path, b.Bytes(), 0o600))
}

// interval has the datagrams that are sent between two flushes.
type interval []datagram

// datagram is sent from a socket. An address may have several sockets.
type datagram struct {
	from    string // such as 127.0.0.1 or 127.0.0.1#2
	payload string
}

// parseCapture reads the lines of datagrams, in which \r and other escapes are those of Go. An empty line ends a datagram,
// "!flush" ends an interval, and "!from" names the socket of the following datagrams.
func parseCapture(t *testing.T, text string) []interval {
	t.Helper()
	from, payload := home, []string(nil)
	intervals := []interval{nil}
	last := func() *interval { return &intervals[len(intervals)-1] }
	end := func() {
		if payload != nil {
			*last() = append(*last(), datagram{from, strings.Join(payload, "\n")})
			payload = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch socket, named := strings.CutPrefix(line, "!from "); {
		case line == "":
			end()
		case line == "!flush":
			end()
			intervals = append(intervals, nil)
		case named:
			end()
			from = socket
		default:
			unquoted, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
			require.NoError(t, err, line)
			payload = append(payload, unquoted)
		}
	}
	end()
	return intervals
}

// sockets returns the names of the sending sockets.
func (i interval) sockets() (names []string) {
	seen := map[string]bool{}
	for _, d := range i {
		if !seen[d.from] {
			seen[d.from] = true
			names = append(names, d.from)
		}
	}
	return names
}
