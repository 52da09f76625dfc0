package segment

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
)

// recovery finds what a directory contains when its log is opened. One goroutine uses it, and nothing else uses the log
// meanwhile.
type recovery struct {
	opt *Options
	dir *dir

	files      []*file
	compressed []name // segments that an earlier version compressed
	saved      cursor
}

// run finds the segments and the cursor. Even if it fails, the caller must close c unless it is nil.
func (r *recovery) run() (segments *list, c *cursorFile, err error) {
	if err := r.find(); err != nil {
		return nil, nil, err
	}
	c, saved, damaged, err := openCursor(r.dir)
	if err != nil {
		return nil, c, err
	}
	r.saved = saved
	if err := r.refuse(); err != nil {
		return nil, c, err
	}
	if damaged {
		r.opt.report(errors.New("the cursor file is damaged: reading starts at the oldest record"))
	}
	next := max(1, saved.next())
	if n := len(r.files); n > 0 {
		next = max(next, r.files[n-1].number) + 1
		if err := r.files[n-1].cutTail(); err != nil {
			return nil, c, err
		}
	}
	for _, d := range saved.contradictions(r.dir, r.files) {
		r.opt.damaged(d)
	}
	r.markDone()
	return &list{files: r.files, next: next}, c, nil
}

// find lists the segments.
func (r *recovery) find() error {
	entries, err := r.dir.list()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a read-only disk did not let MakeDir create it
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if n, ok := parseCompressed(e.Name(), r.opt.kinds()...); ok {
			r.compressed = append(r.compressed, n)
		}
		n, ok := parseName(e.Name(), r.opt.kinds()...)
		if !ok {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		r.files = append(r.files, &file{name: n, dir: r.dir, size: fi.Size(), disk: fi.Size(), sealed: true})
	}
	slices.SortStableFunc(r.files, func(a, b *file) int { return cmp.Compare(a.number, b.number) })
	return nil
}

// refuse fails if unread segments are compressed and OnCompressed is nil: their records would be skipped.
func (r *recovery) refuse() error {
	var unread []string
	for _, n := range r.compressed {
		if n.number >= r.saved.Segment {
			unread = append(unread, r.dir.join(n.String()+compressedSuffix))
		}
	}
	switch {
	case len(unread) == 0:
		return nil
	case r.opt.OnCompressed != nil:
		r.opt.OnCompressed(&CompressedError{Files: unread})
		return nil
	}
	return &CompressedError{Files: unread}
}

// markDone marks in the segments the ranges that the cursor says are done, and adds the segments to the budget.
func (r *recovery) markDone() {
	done, bytes := 0, int64(0)
	for _, f := range r.files {
		f.done = r.saved.done(f.number, f.size)
		f.deletable = f.allDoneLocked()
		r.opt.Budget.Add(f.disk)
		if f.deletable && f.size > 0 {
			done, bytes = done+1, bytes+f.disk
		}
	}
	if done > 0 && r.opt.OnDone != nil {
		r.opt.OnDone(done, bytes)
	}
}
