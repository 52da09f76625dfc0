package segment

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// View is a log as somebody sees it who does not own it. Nothing is locked or written, and the owner may be at work:
// a view holds how things were, and a segment may be gone by the time it is walked.
type View struct {
	Segments []Segment // oldest first
	Cursor   Position  // before it, everything has been dealt with
	// Compressed are the paths of unread segments that an earlier version compressed. They cannot be walked.
	Compressed []string
	// Damage is where the segments are not what the cursor says of them. What is in them is for Walk to say.
	Damage []Damage
	// Quarantined is what the directory of damaged bytes holds.
	Quarantined struct {
		Files int
		Bytes int64
	}

	dir *dir
}

// Segment is one file of a View.
type Segment struct {
	Name   string
	Number uint64
	Begun  time.Time
	Size   int64
	Unread int64 // bytes not dealt with
	Last   bool  // the newest: its end may be in writing

	name name
	done spans
}

// Piece is what a walk meets: a record, or bytes that are none.
type Piece struct {
	Data       []byte // valid until the next one
	Start, End int64
	Done       bool // it has been dealt with
	Damaged    bool // no record
	Unfinished bool // no record yet: the end of the newest segment
}

// Look reads the directory's names and the cursor. Where the two do not fit it looks again: the owner may have moved on.
func Look(fsys FS, path string, kinds ...Kind) (v View, err error) {
	for range maxListings {
		if v, err = lookOnce(fsys, path, kinds...); err != nil || len(v.Damage) == 0 {
			break
		}
	}
	return v, err
}

func lookOnce(fsys FS, path string, kinds ...Kind) (View, error) {
	v := View{dir: &dir{fs: fsys, path: path}}
	entries, err := listAll(v.dir)
	if err != nil {
		return View{}, err
	}
	// The cursor comes after the names: of a segment that was dealt with in between nothing is shown as unread.
	c, err := peekCursor(v.dir)
	if err != nil {
		return View{}, err
	}
	v.Cursor = c.Position
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if n, ok := parseCompressed(e.Name(), kinds...); ok && n.number >= c.Segment {
			v.Compressed = append(v.Compressed, v.dir.join(e.Name()))
		}
		n, ok := parseName(e.Name(), kinds...)
		if !ok {
			continue
		}
		fi, err := fsys.Stat(v.dir.join(e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return View{}, fmt.Errorf("read %s: %w", n, err)
		}
		done := c.done(n.number, fi.Size())
		v.Segments = append(v.Segments, Segment{
			Name: n.String(), Number: n.number, Begun: n.created, Size: fi.Size(), Unread: fi.Size() - done.length(),
			name: n, done: done,
		})
	}
	slices.SortStableFunc(v.Segments, func(a, b Segment) int { return cmp.Compare(a.Number, b.Number) })
	files := make([]*file, 0, len(v.Segments))
	for k := range v.Segments {
		v.Segments[k].Last = k == len(v.Segments)-1
		files = append(files, &file{name: v.Segments[k].name, size: v.Segments[k].Size})
	}
	v.Damage = c.contradicted(v.dir, files)
	return v, v.lookAtQuarantine()
}

// maxListings bounds how often listAll reads: of a log that begins segments faster than that the newest may be missed.
const maxListings = 10

// listAll reads a directory until it finds nothing new: a name that takes the place of another one in the middle of a
// reading may be missed, as may be the one that goes. Whatever was there before the last reading is in one of them.
func listAll(d *dir) ([]fs.DirEntry, error) {
	var all []fs.DirEntry
	seen := map[string]bool{}
	for n, known := 0, -1; n < maxListings && known < len(all); n++ {
		known = len(all)
		entries, err := d.list()
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

func (v *View) lookAtQuarantine() error {
	entries, err := v.dir.fs.ReadDir(filepath.Join(v.dir.path, quarantineDir))
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
	err := walk(&file{name: s.name, dir: v.dir}, 0, s.Size, func(met found) error {
		return visit(Piece{
			Data: met.data, Start: met.start, End: met.end,
			Done:       s.done.past(met.start) > met.start,
			Damaged:    met.kind == damage || met.kind == torn && !s.Last,
			Unfinished: met.kind == torn && s.Last,
		})
	})
	if errors.Is(err, io.ErrUnexpectedEOF) && s.Last {
		return nil // the owner has cut a failed write back
	}
	return err
}
