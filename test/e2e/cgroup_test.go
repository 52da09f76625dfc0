package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// memoryGroup is a control group that bounds the memory of the processes in it, of either version.
type memoryGroup struct {
	t    *testing.T
	path string
	// The file of the limit, and the one with the peak.
	limit, peak string
}

// newMemoryGroup makes a group. Without root or without a memory controller the test is skipped, by name; REQUIRE_CGROUP
// makes that a failure, as in CI.
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
	g := &memoryGroup{t: t, limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes"}
	parent := "/sys/fs/cgroup/memory"
	if controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil && strings.Contains(string(controllers), "memory") {
		parent, g.limit, g.peak = "/sys/fs/cgroup", "memory.max", "memory.peak"
		// Children have the controller only if the parent delegates it.
		_ = os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+memory"), 0)
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

// peakBytes is the most memory that the group has used, page cache included.
func (g *memoryGroup) peakBytes() int64 {
	g.t.Helper()
	content, err := os.ReadFile(filepath.Join(g.path, g.peak))
	require.NoError(g.t, err)
	n, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	require.NoError(g.t, err)
	return n
}

// kills is how often the kernel has killed a process of the group for memory.
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
