package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// status returns a number of the process's status file: proc(5).
func (g *gateway) status(field string, base int) uint64 {
	g.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	require.NoError(g.t, err)
	_, after, found := strings.Cut(string(status), field+":")
	require.True(g.t, found, field)
	value, err := strconv.ParseUint(strings.Fields(after)[0], base, 64)
	require.NoError(g.t, err)
	return value
}

// peakRSS returns the greatest resident memory that the process has had, in bytes.
func (g *gateway) peakRSS() int64 { return int64(g.status("VmHWM", 10)) << 10 }

// takesSignals reports whether the process has a handler for SIGINT: SigCgt has one bit per signal.
func (g *gateway) takesSignals() bool {
	g.t.Helper()
	caught := g.status("SigCgt", 16)
	return caught&(1<<(syscall.SIGINT-1)) != 0
}

// usage is the CPU time and memory that the kernel has counted for a process.
type usage struct {
	cpu time.Duration // user and system
	rss int64         // bytes
}

// userHertz is the unit of times in proc(5). It is fixed in the kernel's interface on every platform that Go supports.
const userHertz = 100

func (g *gateway) usage() usage {
	g.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.cmd.Process.Pid))
	require.NoError(g.t, err)
	// proc(5): utime and stime are fields 14 and 15, rss is 24, counted from the pid. The command name in parentheses may
	// contain spaces.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	number := func(field int) int64 {
		n, err := strconv.ParseInt(fields[field-3], 10, 64)
		require.NoError(g.t, err)
		return n
	}
	return usage{
		cpu: time.Duration(number(14)+number(15)) * time.Second / userHertz,
		rss: number(24) * int64(os.Getpagesize()),
	}
}

// syncBuffer is a bytes.Buffer that a process may write while the test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *syncBuffer) tail(n int) string {
	text := s.String()
	return text[max(0, len(text)-n):]
}
