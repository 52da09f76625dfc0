package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// memoryGroup is a control group, of version 1 or 2, that bounds the memory of its processes.
type memoryGroup struct {
	t    *testing.T
	path string
	// The file of the limit, and the file of the peak.
	limit, peak string
}

// newMemoryGroup creates a group. Without root or without a memory controller it skips the test with the reason. With
// REQUIRE_CGROUP, as in CI, it fails the test instead.
func newMemoryGroup(t *testing.T, limitBytes int64) *memoryGroup {
	t.Helper()
	missing := func(why string) {
		if os.Getenv("REQUIRE_CGROUP") != "" {
			t.Fatal("no control group for memory: " + why)
		}
		t.Skip("no control group for memory: " + why)
	}
	if os.Getuid() != 0 {
		missing("not root")
	}
	g := &memoryGroup{t: t}
	parent, err := g.chooseVersion(cgroupRoot)
	if err != nil {
		missing(err.Error())
	}
	g.path = filepath.Join(parent, fmt.Sprintf("otelcol-custom-test-%d", os.Getpid()))
	if err := os.Mkdir(g.path, 0o700); err != nil {
		missing(err.Error())
	}
	t.Cleanup(func() { _ = os.Remove(g.path) }) // fails as long as a process is in it
	if err := os.WriteFile(filepath.Join(g.path, g.limit), []byte(strconv.FormatInt(limitBytes, 10)), 0); err != nil {
		missing(err.Error())
	}
	return g
}

// cgroupRoot is the folder in which the system mounts its control groups.
const cgroupRoot = "/sys/fs/cgroup"

// chooseVersion returns the folder for the group and sets the names of its files. The memory controller has version 2 if the
// unified hierarchy has it, at the root or, in a hybrid system, below it. Otherwise it has version 1.
func (g *memoryGroup) chooseVersion(root string) (parent string, err error) {
	for _, parent := range []string{root, filepath.Join(root, "unified")} {
		controllers, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
		if err != nil || !slices.Contains(strings.Fields(string(controllers)), "memory") {
			continue
		}
		g.limit, g.peak = "memory.max", "memory.peak"
		// Children have the controller only if the parent delegates it. That fails if the parent contains processes.
		return parent, os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+memory"), 0)
	}
	parent = filepath.Join(root, "memory")
	g.limit, g.peak = "memory.limit_in_bytes", "memory.max_usage_in_bytes"
	_, err = os.Stat(filepath.Join(parent, g.limit))
	return parent, err
}

// peakBytes returns the greatest memory that the group has used, including page cache.
func (g *memoryGroup) peakBytes() int64 {
	g.t.Helper()
	content, err := os.ReadFile(filepath.Join(g.path, g.peak))
	require.NoError(g.t, err)
	n, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	require.NoError(g.t, err)
	return n
}

// kills returns how often the kernel has killed a process of the group because of its memory.
func (g *memoryGroup) kills() int {
	g.t.Helper()
	for _, file := range []string{"memory.events", "memory.oom_control"} {
		content, err := os.ReadFile(filepath.Join(g.path, file))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(content)) {
			if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "oom_kill" {
				n, err := strconv.Atoi(fields[1])
				require.NoError(g.t, err)
				return n
			}
		}
	}
	return 0
}

// The group has the version of the memory controller, and its files are read in the form of that version.
func TestVersionsOfControlGroups(t *testing.T) {
	type files map[string]string
	for name, tt := range map[string]struct {
		system files
		parent string // "" is an error
		group  files
	}{
		"version 1": {
			files{"memory/memory.limit_in_bytes": "9223372036854771712\n"},
			"memory",
			files{"memory.max_usage_in_bytes": "1024\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"},
		},
		"version 2": {
			files{"cgroup.controllers": "cpuset cpu io memory pids\n", "cgroup.subtree_control": ""},
			".",
			files{"memory.peak": "1024\n", "memory.events": "low 0\nhigh 0\nmax 7\noom 4\noom_kill 3\noom_group_kill 0\n"},
		},
		"hybrid, memory in version 1": {
			files{"unified/cgroup.controllers": "\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"},
			"memory",
			files{"memory.max_usage_in_bytes": "1024\n", "memory.oom_control": "oom_kill 3\n"},
		},
		"hybrid, memory in version 2": {
			files{"unified/cgroup.controllers": "memory\n", "unified/cgroup.subtree_control": ""},
			"unified",
			files{"memory.peak": "1024\n", "memory.events": "oom_kill 3\n"},
		},
		"another controller": {files{"cgroup.controllers": "memory_of_another\n"}, "", nil},
		"none":               {nil, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write := func(dir string, all files) {
				for file, content := range all {
					path := filepath.Join(dir, file)
					require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
					require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
				}
			}
			write(root, tt.system)
			g := &memoryGroup{t: t}
			parent, err := g.chooseVersion(root)
			if tt.parent == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, filepath.Join(root, tt.parent), parent)
			g.path = filepath.Join(parent, "group")
			write(g.path, tt.group)
			assert.Equal(t, int64(1024), g.peakBytes())
			assert.Equal(t, 3, g.kills())
		})
	}
}
