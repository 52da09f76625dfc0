package segment

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// View is a log as somebody sees it who does not own it. Nothing is locked or written, and the owner may be at work:
// what it holds is how things were, and a segment may be gone by the time it is walked.
type View struct {
	Segments []Segment // oldest first
	Cursor   Position  // before it, everything has been dealt with
	// Quarantined is what the directory of damaged bytes holds.
	Quarantined struct {
		Files int
		Bytes int64
	}

	fs  FS
	dir string
}

// Segment is one file of a View.
type Segment struct {
	Name   string
	Number uint64
	Begun  time.Time
	Size   int64 // of what was appended
	Disk   int64 // of the file
	Unread int64 // bytes not dealt with, as appended
	Last   bool  // the newest: its end may be in writing

	info *info
}

// Piece is what a walk meets: a record, or bytes that are none.
type Piece struct {
	Data       []byte // valid until the next one
	Start, End int64
	Done       bool // it has been dealt with
	Damaged    bool // no record
	Unfinished bool // no record yet: the end of the newest segment
}

// Look reads the directory's names and the cursor, and the seek tables of packed segments.
func Look(fsys FS, dir string, kinds ...Kind) (View, error) {
	v := View{fs: fsys, dir: dir}
	entries, err := list(fsys, dir)
	if err != nil {
		return View{}, err
	}
	// The cursor comes after the names: of a segment that was dealt with in between nothing is shown as unread.
	c, err := peekCursor(fsys, dir)
	if err != nil {
		return View{}, err
	}
	v.Cursor = c.Position
	for _, e := range entries {
		i := parseKinds(e.Name(), kinds)
		if i == nil || !e.Type().IsRegular() {
			continue
		}
		if err := i.look(fsys, dir); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return View{}, fmt.Errorf("read %s: %w", i.name(), err)
		}
		c.apply(i)
		v.Segments = append(v.Segments, Segment{
			Name: i.name(), Number: i.number, Begun: i.created, Size: i.size, Disk: i.disk,
			Unread: i.size - i.done.length(), info: i,
		})
	}
	slices.SortFunc(v.Segments, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.info.rank(), b.info.rank()))
	})
	v.Segments = slices.CompactFunc(v.Segments, func(a, b Segment) bool { return a.Number == b.Number })
	if n := len(v.Segments); n > 0 {
		v.Segments[n-1].Last = !v.Segments[n-1].info.packed
	}
	return v, v.lookAtQuarantine()
}

// maxListings bounds how often list reads: of a log that begins segments faster than that the newest may be missed.
const maxListings = 10

// list reads a directory until it finds nothing new: a name that takes the place of another one in the middle of a reading
// may be missed, as may be the one that goes. Whatever was there before the last reading is in one of them.
func list(fsys FS, dir string) ([]fs.DirEntry, error) {
	var all []fs.DirEntry
	seen := map[string]bool{}
	for n, known := 0, -1; n < maxListings && known < len(all); n++ {
		known = len(all)
		entries, err := fsys.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !seen[e.Name()] {
				seen[e.Name()] = true
				all = append(all, e)
			}
		}
	}
	return all, nil
}

// look measures a segment's file. Where the owner has packed it meanwhile it is the packed one's.
func (i *info) look(fsys FS, dir string) error {
	fi, err := fsys.Stat(filepath.Join(dir, i.name()))
	if errors.Is(err, fs.ErrNotExist) && i.kind.Compressible && !i.packed {
		i.packed = true
		fi, err = fsys.Stat(filepath.Join(dir, i.name()))
	}
	if err != nil {
		return err
	}
	return i.measure(fsys, dir, fi.Size())
}

// rank orders the files of a segment where there are two, which is so for a moment, or after a crash.
func (i *info) rank() int {
	switch {
	case i.packed && !i.rebuilt:
		return 0
	case !i.packed:
		return 1
	}
	return 2
}

func (v *View) lookAtQuarantine() error {
	entries, err := v.fs.ReadDir(filepath.Join(v.dir, quarantineDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if fi, err := e.Info(); err == nil { // else it has just gone
			v.Quarantined.Files++
			v.Quarantined.Bytes += fi.Size()
		}
	}
	return err
}

// Walk hands what is in a segment to visit, in order, up to the length that the view has seen. It returns
// fs.ErrNotExist for a segment that has gone, and the first error of visit.
func (v View) Walk(s Segment, visit func(Piece) error) error {
	f, err := openContent(v.fs, v.dir, s.info)
	if errors.Is(err, fs.ErrNotExist) { // maybe the owner has packed it
		other := *s.info
		other.packed = !other.packed
		f, err = openContent(v.fs, v.dir, &other)
	}
	if err != nil {
		return err
	}
	r := scanner{format: s.info.kind.Format, file: f}
	defer r.close()
	for {
		found, err := r.next(s.Size)
		if errors.Is(err, io.ErrUnexpectedEOF) && s.Last {
			return nil // the owner has cut a failed write back
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", s.Name, err)
		}
		if found.kind == atEnd {
			if s.info.rebuilt {
				return visit(Piece{Start: s.Size, End: s.Size, Damaged: true}) // its seek table
			}
			return nil
		}
		err = visit(Piece{
			Data: found.data, Start: found.start, End: found.end,
			Done:       s.info.done.past(found.start) > found.start,
			Damaged:    found.kind == damage || found.kind == torn && !s.Last,
			Unfinished: found.kind == torn && s.Last,
		})
		if err != nil {
			return err
		}
	}
}

// peekCursor reads the newest cursor without touching the file. There may be none.
func peekCursor(fsys FS, dir string) (c cursor, err error) {
	f, err := fsys.OpenFile(filepath.Join(dir, cursorName), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return cursor{}, nil
	}
	if err != nil {
		return cursor{}, err
	}
	defer func() { _ = f.Close() }() // opened for reading
	buf := make([]byte, cursorSlots*slotSize)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return cursor{}, err
	}
	newest := uint64(0)
	for at := 0; at < n; at += slotSize {
		var s slot
		if json.Unmarshal(buf[at:min(n, at+slotSize)], &s) == nil && s.valid() && s.Sequence > newest {
			newest, c = s.Sequence, cursor{s.Position, s.Done}
		}
	}
	return c, nil
}
