package segment

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// MakeDir makes a directory and the missing ones above it, durably: a synced file is lost with a name above it that is
// not. The parent of dir is synced also where dir is there already, since a crash may have come in between.
func MakeDir(fsys FS, dir string) error {
	parent := filepath.Dir(dir)
	err := fsys.Mkdir(dir, DirMode)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := MakeDir(fsys, parent); err != nil {
			return err
		}
		err = fsys.Mkdir(dir, DirMode)
	}
	if errors.Is(err, fs.ErrExist) {
		_, err = fsys.ReadDir(dir) // and it is a directory
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}
