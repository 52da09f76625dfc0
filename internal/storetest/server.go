// Package storetest runs Debian's redis-server for tests.
package storetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

// Server is a redis-server on a free port of the loopback interface. It ends with the test.
type Server struct {
	Addr string

	t      testing.TB
	dir    string
	config string // a file, empty without
	args   []string
	cmd    *exec.Cmd
	done   chan error
}

// Start starts a server with more arguments than where it listens.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	dir := t.TempDir()
	s := &Server{t: t, dir: dir, args: args}
	t.Cleanup(s.Kill)
	for range 5 { // another process may get the port first
		s.Addr = FreeAddress(t)
		if s.launch() {
			return s
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log")) //nolint:gosec // our own file
	t.Fatalf("redis-server does not start (`make deps` installs it): %s", log)
	return nil
}

// FreeAddress returns an address on loopback that nobody listens on.
func FreeAddress(t testing.TB) string {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}

// launch reports whether the server answers.
func (s *Server) launch() bool {
	_, port, _ := net.SplitHostPort(s.Addr)
	var args []string
	if s.config != "" {
		args = append(args, s.config)
	}
	args = append(args,
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"),
		"--daemonize", "no")
	args = append(args, s.args...)
	s.cmd = exec.Command("redis-server", args...) //nolint:gosec // of the test
	if s.cmd.Start() != nil {
		return false
	}
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(s.cmd, s.done)
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		select {
		case <-s.done:
			s.cmd = nil
			return false
		default:
		}
		if s.answers() {
			return true
		}
		time.Sleep(10 * time.Millisecond) // a process has no other signal for it
	}
	return false
}

func (s *Server) answers() bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).Dial("tcp", s.Addr)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	b := make([]byte, 16)
	n, _ := conn.Read(b)
	answer := string(b[:n])
	return strings.HasPrefix(answer, "+PONG") || strings.HasPrefix(answer, "-NOAUTH")
}

// Kill ends the server with SIGKILL: what it has is gone.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
}

// Restart starts the server again at its address.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	require.True(s.t, s.launch(), "redis-server does not start again")
}

// Client returns a connection to the server. It has one user at a time, and ends with the server or with the test.
func (s *Server) Client() redis.Conn {
	s.t.Helper()
	c, err := redis.Dial("tcp", s.Addr)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Do sends a command and returns the answer as a text.
func (s *Server) Do(c redis.Conn, command ...string) string {
	s.t.Helper()
	answer, err := do(c, command...)
	require.NoError(s.t, err, command)
	switch answer := answer.(type) {
	case nil:
		return ""
	case []byte:
		return string(answer)
	default:
		return fmt.Sprint(answer)
	}
}

func do(c redis.Conn, command ...string) (any, error) {
	return c.Do(command[0], redis.Args{}.AddFlat(command[1:])...)
}

// Keys returns the names that match a pattern.
func (s *Server) Keys(c redis.Conn, pattern string) []string {
	s.t.Helper()
	keys, err := redis.Strings(do(c, "KEYS", pattern))
	require.NoError(s.t, err)
	return keys
}

// Size returns the number of members of a set.
func (s *Server) Size(c redis.Conn, name string) int64 {
	s.t.Helper()
	n, err := redis.Int64(do(c, "SCARD", name))
	require.NoError(s.t, err)
	return n
}
