//go:build unix

package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// HasUnixgram tells of this system.
const HasUnixgram = true

// openUnix binds a Unix socket, in the place of one that a process left behind.
func openUnix(ctx context.Context, s *Settings) (*Group, error) {
	if len(s.Address) > MaxPath {
		return nil, fmt.Errorf("%s has %d bytes: the path of a socket can have %d", s.Address, len(s.Address), MaxPath)
	}
	pc, err := bind(ctx, s.Address)
	if isInUse(err) {
		if err = removeStale(ctx, s.Address); err == nil {
			pc, err = bind(ctx, s.Address)
		}
	}
	if err != nil {
		return nil, err
	}
	g := &Group{}
	if !isAbstract(s.Address) {
		if g.file, err = newFile(s.Address, s.Permissions); err != nil {
			_ = pc.Close()
			return nil, err
		}
	}
	c, err := newConn(pc, s)
	if err != nil {
		err = errors.Join(err, g.Close(), pc.Close())
		return nil, err
	}
	g.Conns = []*Conn{c}
	return g, nil
}

func bind(ctx context.Context, path string) (packetConn, error) {
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, Unixgram, path)
	switch {
	case isInUse(err) && isAbstract(path):
		return nil, &InUseError{Address: path, Err: err}
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no directory %s: %w", filepath.Dir(path), err)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return pc.(*net.UnixConn), nil
}

// isAbstract tells of a name that is no file's: on Linux only.
//
// https://man7.org/linux/man-pages/man7/unix.7.html, "Address format"
func isAbstract(path string) bool { return hasAbstract && strings.HasPrefix(path, "@") }

// removeStale removes the file of a socket that no process has open. The kernel
// refuses a connection to one, and to no other.
func removeStale(ctx context.Context, path string) error {
	found, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // meanwhile
	}
	if err != nil {
		return err
	}
	if found.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is a file, and not a socket: it is left as it is", path)
	}
	var d net.Dialer
	peer, err := d.DialContext(ctx, Unixgram, path)
	switch {
	case err == nil:
		_ = peer.Close()
		return &InUseError{Address: path, Err: syscall.EADDRINUSE}
	case errors.Is(err, syscall.EPROTOTYPE), errors.Is(err, syscall.EPERM): // a stream's, or connected to another
		return &InUseError{Address: path, Err: err}
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("whether a process listens on %s cannot be told: %w", path, err)
	}
	// Another that starts at this time may have put its own in the place, perhaps
	// even with the inode of the stale one.
	now, err := os.Lstat(path)
	if err == nil && os.SameFile(now, found) && now.ModTime().Equal(found.ModTime()) {
		return os.Remove(path)
	}
	return nil
}

// file is that of a bound socket.
type file struct {
	path string
	info fs.FileInfo
}

func newFile(path string, permissions fs.FileMode) (*file, error) {
	if err := os.Chmod(path, permissions); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	info, err := os.Lstat(path)
	return &file{path, info}, err
}

// remove removes the file unless it is gone, or another's. While the socket is
// open its inode is not given to another file.
func (f *file) remove() error {
	now, err := os.Lstat(f.path)
	gone := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	if gone || err == nil && !os.SameFile(now, f.info) {
		return nil
	}
	if err == nil {
		err = os.Remove(f.path)
	}
	return err
}
