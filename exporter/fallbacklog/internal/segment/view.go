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

// View is a snapshot of a log that another process may own. It locks and writes nothing. The owner may go on meanwhile, so a
// segment of the view may no longer exist when it is walked.
type View struct {
	Segments []Segment // oldest first
	Cursor   Position  // before it all records are done
	// Compressed are the paths of unread segments that an earlier version compressed. They cannot be walked.
	Compressed []string
	// Damage lists contradictions between the segments and the cursor. Walk finds damage inside segments.
	Damage []Damage
	// Quarantined is the number and size of the copies of damaged bytes.
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
	Unread int64 // bytes that are not done
	Last   bool  // it is the newest: its end may be being written

	name name
	done byteRanges
}

// Piece is a record or damaged bytes, found by a walk.
type Piece struct {
	Data       []byte // valid until the next piece
	Start, End int64
	Done       bool // the record is done
	Damaged    bool // the bytes are no record
	Unfinished bool // the end of the newest segment, which is no complete record yet
}

// ReadView reads the names in the directory and the cursor. If they contradict each other it reads again, because the owner may
// have changed them in between.
func ReadView(fsys FS, path string, kinds ...Kind) (v View, err error) {
	for range maxListings {
		if v, err = readViewOnce(fsys, path, kinds...); err != nil || len(v.Damage) == 0 {
			break
		}
	}
	return v, err
}

func readViewOnce(fsys FS, path string, kinds ...Kind) (View, error) {
	v := View{dir: &dir{fs: fsys, path: path}}
	entries, err := listAll(v.dir)
	if err != nil {
		return View{}, err
	}
	// The cursor is read after the names, so no segment that became done in between is shown as unread.
	c, err := readCursor(v.dir)
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
	v.Damage = c.contradictions(v.dir, files)
	return v, v.readQuarantine()
}

// maxListings bounds how often listAll reads. If the log creates segments faster than that the newest may be missing.
const maxListings = 10

// listAll reads a directory until it finds no new name. One reading may miss a name that replaces another one, and also the
// replaced name. Every name that existed before the last reading is in at least one of the readings.
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

func (v *View) readQuarantine() error {
	entries, err := v.dir.fs.ReadDir(filepath.Join(v.dir.path, quarantineDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if fi, err := e.Info(); err == nil { // otherwise it was just deleted
			v.Quarantined.Files++
			v.Quarantined.Bytes += fi.Size()
		}
	}
	return err
}

// Walk calls visit with the pieces of a segment, in order, up to the length in the view. It returns fs.ErrNotExist if the
// segment no longer exists, and the first error of visit.
func (v View) Walk(s Segment, visit func(Piece) error) error {
	err := walk(&file{name: s.name, dir: v.dir}, 0, s.Size, func(p piece) error {
		return visit(Piece{
			Data: p.data, Start: p.start, End: p.end,
			Done:       s.done.firstOutside(p.start) > p.start,
			Damaged:    p.kind == damage || p.kind == torn && !s.Last,
			Unfinished: p.kind == torn && s.Last,
		})
	})
	if errors.Is(err, io.ErrUnexpectedEOF) && s.Last {
		return nil // the owner has cut back a failed write
	}
	return err
}
