package segment

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// crashFS is the operating system's file system, with a record of what a power loss would leave of it: a file's content at its
// last Sync, and a directory's names at its last SyncDir. A power loss may keep any part of the later changes, see leave. One
// goroutine uses it, so that operations have numbers.
type crashFS struct {
	OS
	crashAt int // number of the operation in which the power fails, from 1; 0: none
	ops     int

	// These operations are ignored, to test the test.
	skipSync, skipSyncDir bool

	nodes map[string]*node // by path, in their current state
}

// node is a file or a directory.
type node struct {
	dir     bool
	durable []byte           // content of a file
	names   map[string]*node // names in a directory, durable
	pending []func(*node)    // changes since the last sync; each applies itself, some only in part
	random  *rand.Rand       // only while a power loss is simulated
}

var errPower = errors.New("the power has failed")

func newCrashFS(root string) *crashFS {
	return &crashFS{nodes: map[string]*node{root: {dir: true, names: map[string]*node{}}}}
}

func (f *crashFS) down() bool { return f.crashAt > 0 && f.ops >= f.crashAt }

// operation counts an operation and fails from crashAt on.
func (f *crashFS) operation() error {
	if f.down() {
		return errPower
	}
	f.ops++
	if f.down() {
		return errPower
	}
	return nil
}

// name records a new name in its directory, or with a nil node a removed name.
func (f *crashFS) name(path string, n *node) {
	base := filepath.Base(path)
	parent := f.nodes[filepath.Dir(path)]
	parent.pending = append(parent.pending, func(d *node) {
		switch {
		case d.random != nil && d.random.IntN(2) == 0:
		case n == nil:
			delete(d.names, base)
		default:
			d.names[base] = n
		}
	})
	if n == nil {
		delete(f.nodes, path)
	} else {
		f.nodes[path] = n
	}
}

func (f *crashFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if f.down() {
		return nil, errPower
	}
	if _, there := f.nodes[name]; !there && flag&os.O_CREATE != 0 {
		err := f.operation()
		f.name(name, &node{})
		if err != nil {
			return nil, err
		}
	}
	file, err := f.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &crashFile{File: file, fs: f, node: f.nodes[name]}, nil
}

func (f *crashFS) Mkdir(name string, perm fs.FileMode) error {
	if f.down() {
		return errPower
	}
	if err := f.OS.Mkdir(name, perm); err != nil {
		return err
	}
	f.name(name, &node{dir: true, names: map[string]*node{}})
	return f.operation()
}

func (f *crashFS) Remove(name string) error {
	if f.down() {
		return errPower
	}
	if err := f.OS.Remove(name); err != nil {
		return err
	}
	f.name(name, nil)
	return f.operation()
}

func (f *crashFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if f.down() {
		return nil, errPower
	}
	return f.OS.ReadDir(name)
}

func (f *crashFS) SyncDir(name string) error {
	if err := f.operation(); err != nil {
		return err
	}
	if !f.skipSyncDir {
		f.nodes[name].syncPending()
	}
	return nil
}

// syncPending makes the pending changes durable.
func (n *node) syncPending() {
	for _, apply := range n.pending {
		apply(n)
	}
	n.pending = nil
}

type crashFile struct {
	File
	fs   *crashFS
	node *node
}

// write records a write. A power loss keeps a front part of a write that was not synced, which may be nothing or all of it.
func (f *crashFile) write(p []byte, off int64) {
	data := append([]byte(nil), p...)
	f.node.pending = append(f.node.pending, func(n *node) {
		keep := len(data)
		if n.random != nil {
			switch n.random.IntN(3) {
			case 0:
				return
			case 1:
				keep = n.random.IntN(keep + 1)
			}
		}
		if missing := int(off) + keep - len(n.durable); missing > 0 {
			n.durable = append(n.durable, make([]byte, missing)...) // zeros in place of a lost earlier write
		}
		copy(n.durable[off:], data[:keep])
	})
}

func (f *crashFile) Write(p []byte) (int, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if f.fs.down() {
		return 0, errPower
	}
	f.write(p, fi.Size())
	if err := f.fs.operation(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *crashFile) WriteAt(p []byte, off int64) (int, error) {
	if f.fs.down() {
		return 0, errPower
	}
	f.write(p, off)
	if err := f.fs.operation(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *crashFile) Truncate(size int64) error {
	if f.fs.down() {
		return errPower
	}
	f.node.pending = append(f.node.pending, func(n *node) {
		if int64(len(n.durable)) > size && (n.random == nil || n.random.IntN(2) == 0) {
			n.durable = n.durable[:size:size]
		}
	})
	if err := f.fs.operation(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

// Sync leaves the same as no Sync if the power fails in it.
func (f *crashFile) Sync() error {
	if err := f.fs.operation(); err != nil {
		return err
	}
	if !f.fs.skipSync {
		f.node.syncPending()
	}
	return nil
}

// leave writes to the directory to what a power loss now would leave of the directory root.
func (f *crashFS) leave(t *testing.T, root, to string, random *rand.Rand) {
	t.Helper()
	leaveNode(t, f.nodes[root], to, random)
}

func leaveNode(t *testing.T, n *node, to string, random *rand.Rand) {
	t.Helper()
	left := node{durable: append([]byte(nil), n.durable...), names: map[string]*node{}, random: random}
	maps.Copy(left.names, n.names)
	for _, apply := range n.pending {
		apply(&left)
	}
	if !n.dir {
		require.NoError(t, os.WriteFile(to, left.durable, FileMode))
		return
	}
	require.NoError(t, os.MkdirAll(to, dirMode))
	for _, name := range slices.Sorted(maps.Keys(left.names)) {
		leaveNode(t, left.names[name], filepath.Join(to, name), random)
	}
}
