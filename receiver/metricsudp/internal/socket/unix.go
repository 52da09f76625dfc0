//go:build unix

package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// HasUnix reports whether this system has Unix sockets of datagrams and of streams.
const HasUnix = true

// openUnix binds a Unix socket of datagrams.
func openUnix(ctx context.Context, s *Options) (*Group, error) {
	pc, f, err := bindUnix(ctx, s, func(lc *net.ListenConfig) (net.PacketConn, error) {
		return lc.ListenPacket(ctx, s.Network, s.Address)
	})
	if err != nil {
		return nil, err
	}
	g := &Group{file: f}
	c, err := newConn(pc.(*net.UnixConn), s)
	if err != nil {
		err = errors.Join(err, g.Close(), pc.Close())
		return nil, err
	}
	g.Conns = []*Conn{c}
	return g, nil
}

// listenUnix listens on a Unix socket of streams.
func listenUnix(ctx context.Context, s *Options) (*Listeners, error) {
	l, f, err := bindUnix(ctx, s, func(lc *net.ListenConfig) (net.Listener, error) {
		return lc.Listen(ctx, s.Network, s.Address)
	})
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // by then another process may have replaced the file
	return &Listeners{All: []net.Listener{l}, file: f}, nil
}

// bindUnix binds a Unix socket. It replaces the file of a socket that a dead process left behind. The returned file is nil for
// an abstract name.
func bindUnix[B io.Closer](ctx context.Context, s *Options, bind func(*net.ListenConfig) (B, error)) (b B, f *file, err error) {
	var none B
	if len(s.Address) > MaxPath {
		return none, nil, fmt.Errorf("%s has %d bytes: the path of a socket can have at most %d", s.Address, len(s.Address), MaxPath)
	}
	var lc net.ListenConfig
	b, err = bind(&lc)
	if isInUse(err) && !isAbstract(s.Address) {
		if err = removeStale(ctx, s.Network, s.Address); err == nil {
			b, err = bind(&lc)
		}
	}
	if err != nil {
		return none, nil, bindError(s.Address, err)
	}
	if isAbstract(s.Address) {
		return b, nil, nil
	}
	if f, err = newFile(s.Address, s.Permissions); err != nil {
		_ = b.Close()
		return none, nil, err
	}
	return b, f, nil
}

func bindError(path string, err error) error {
	var inUse *InUseError
	switch {
	case errors.As(err, &inUse):
		return err
	case isInUse(err):
		return &InUseError{Address: path, Err: err}
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no directory %s: %w", filepath.Dir(path), err)
	}
	return fmt.Errorf("listen on %s: %w", path, err)
}

// isAbstract reports whether the name is abstract, that is without a file. Only Linux has such names.
//
// https://man7.org/linux/man-pages/man7/unix.7.html, "Address format"
func isAbstract(path string) bool { return hasAbstract && strings.HasPrefix(path, "@") }

// removeStale removes the file of a socket that no process has open. The kernel refuses connections to such a socket only.
func removeStale(ctx context.Context, network, path string) error {
	found, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	if found.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is a file, and not a socket: it is left unchanged", path)
	}
	var d net.Dialer
	peer, err := d.DialContext(ctx, network, path)
	switch {
	case err == nil:
		_ = peer.Close()
		return &InUseError{Address: path, Err: syscall.EADDRINUSE}
	case errors.Is(err, syscall.EPROTOTYPE), errors.Is(err, syscall.EPERM): // a socket of the other kind, or one connected to another peer
		return &InUseError{Address: path, Err: err}
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot find out whether a process listens on %s: %w", path, err)
	}
	// A process that starts at the same time may have replaced the file with its own, perhaps even with the inode of the
	// stale one.
	now, err := os.Lstat(path)
	if err == nil && os.SameFile(now, found) && now.ModTime().Equal(found.ModTime()) {
		return os.Remove(path)
	}
	return nil
}

// file is the file of a bound socket.
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

// remove removes the file, unless it is gone or another process has replaced it. It must be called before the socket is closed,
// because the inode cannot be reused until then.
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
