package segment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// probeName is a file that Try writes and removes. A crash may leave it; it holds nothing.
const probeName = "probe"

// Try reports whether a record of so many bytes could be appended now, as far as that can be known without one: whether
// the budget has room, and whether the disk takes and syncs a new file. It is for a log that has refused something, and
// costs about as much as an append.
func (l *Log) Try(bytes int64) error {
	if err := l.opt.Budget.Reserve(bytes); err != nil {
		return err
	}
	l.opt.Budget.Release(bytes)
	name := filepath.Join(l.opt.Dir, probeName)
	f, err := l.opt.FS.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, FileMode)
	if err != nil {
		return fmt.Errorf("try the disk: %w", full(err))
	}
	_, err = f.Write(make([]byte, slotSize)) // a block: less may fit into what the file system keeps of an empty file
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close(), l.opt.FS.Remove(name)); err != nil {
		return fmt.Errorf("try the disk: %w", full(err))
	}
	return nil
}
