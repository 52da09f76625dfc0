//go:build unix

package storetest

import (
	"syscall"

	"github.com/stretchr/testify/require"
)

// Stop suspends the server, Continue resumes it.
func (s *Server) Stop() { require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGSTOP)) }

// Continue resumes the server.
func (s *Server) Continue() { require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGCONT)) }
