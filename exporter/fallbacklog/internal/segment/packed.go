package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/seekable"
)

// ErrSeekTable says that the seek table of a packed segment is damaged. Its records are found without.
var ErrSeekTable = errors.New("the seek table of a segment is damaged, its records are found without")

// content is what was appended to a segment, whether its file is packed or not: all positions are places in it. What
// cannot be decompressed is a *seekable.Damage.
type content interface {
	io.ReaderAt
	io.Closer
}

// unpacked is the content of a packed segment.
type unpacked struct {
	*seekable.Reader
	file io.Closer
}

func (u unpacked) Close() error { return u.file.Close() }

// openContent opens a segment for reading. The caller keeps info.packed as it is meanwhile.
func openContent(fsys FS, dir string, i *info) (content, error) {
	f, err := fsys.OpenFile(filepath.Join(dir, i.name()), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	if !i.packed {
		return f, nil
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	x, err := seekable.ReadIndex(f, fi.Size())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return unpacked{seekable.NewReader(f, x), f}, nil
}

// measure notes the length of a segment's file and of what is in it.
func (i *info) measure(fsys FS, dir string, length int64) error {
	i.size, i.disk = length, length
	if !i.packed {
		return nil
	}
	c, err := openContent(fsys, dir, i)
	if err != nil {
		return err
	}
	x := c.(unpacked).Index //nolint:forcetypeassert // it is packed
	i.size, i.rebuilt = x.Size, x.Rebuilt
	return c.Close()
}

// settlePairs decides which file is a segment's where a crash has left both: the packed one if all of it can be
// decompressed, since it was durable before it had its name and the plain one may not be in the modes without a sync.
// It has everything that anybody was told is in the log.
func (l *Log) settlePairs() {
	kept := l.segments[:0]
	for _, i := range l.segments {
		n := len(kept)
		if n == 0 || !kept[n-1].sameStem(i) {
			kept = append(kept, i)
			continue
		}
		winner, loser := kept[n-1], i
		if winner.packed {
			winner, loser = loser, winner
		}
		if l.verifies(loser) {
			winner, loser = loser, winner
		}
		kept[n-1] = winner
		if err := l.opt.FS.Remove(l.path(loser)); err != nil {
			l.report(err)
			winner.twin, winner.twinDisk = true, loser.disk
			winner.disk += loser.disk
		}
	}
	l.segments = kept
	for _, i := range l.segments {
		if i.rebuilt {
			l.report(fmt.Errorf("%w: %s", ErrSeekTable, i.name()))
		}
	}
}

// verifies reports whether all of a packed segment can be read.
func (l *Log) verifies(i *info) bool {
	c, err := openContent(l.opt.FS, l.opt.Dir, i)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()                  // opened for reading
	return !i.rebuilt && c.(unpacked).Verify() == nil //nolint:forcetypeassert // it is packed
}

// removeTemp removes a copy that a crash has interrupted.
func (l *Log) removeTemp(e fs.DirEntry, kinds []Kind) {
	name, ok := strings.CutSuffix(e.Name(), tempSuffix)
	if i := parseKinds(name, kinds); !ok || i == nil || !i.packed || !e.Type().IsRegular() {
		return
	}
	if fi, err := e.Info(); err == nil { // else it has just gone
		l.opt.Budget.Add(fi.Size())
		l.removeCopy(filepath.Join(l.opt.Dir, e.Name()), fi.Size())
	}
}

// removeTwin removes the other file of a segment where that has failed before. The caller holds saveMu.
func (l *Log) removeTwin(i *info) error {
	if !i.twin {
		return nil
	}
	err := l.opt.FS.Remove(filepath.Join(l.opt.Dir, i.nameAs(!i.packed)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.mu.Lock()
	n := i.twinDisk
	i.twin, i.twinDisk, i.disk = false, 0, i.disk-n
	l.mu.Unlock()
	l.opt.Budget.Release(n)
	return nil
}

// removeTwins is removeTwin for all segments, for as long as it works.
func (l *Log) removeTwins() error {
	l.saveMu.Lock()
	defer l.saveMu.Unlock()
	l.mu.Lock()
	segments := slices.Clone(l.segments)
	l.mu.Unlock()
	for _, i := range segments {
		if err := l.removeTwin(i); err != nil {
			return err
		}
	}
	return nil
}
