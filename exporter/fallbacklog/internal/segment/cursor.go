package segment

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

const cursorName = "cursor"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cursorFile is the content of the cursor file: one line of JSON.
type cursorFile struct {
	Position
	CRC32C string `json:"crc32c"`
}

func (p Position) checksum() string {
	return fmt.Sprintf("%08x", crc32.Checksum(fmt.Appendf(nil, "%d/%d", p.Segment, p.Offset), castagnoli))
}

// loadCursor returns the zero Position when there is no cursor, or a damaged one: reading then starts at the oldest
// record, which repeats records but loses none.
func loadCursor(fsys FS, dir string) (p Position, damaged bool, err error) {
	f, err := fsys.OpenFile(filepath.Join(dir, cursorName), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Position{}, false, nil
	}
	if err != nil {
		return Position{}, false, err
	}
	defer func() { _ = f.Close() }() // nothing written is left to lose
	buf := make([]byte, 256)         // a cursor has at most 80 bytes
	n, _ := f.ReadAt(buf, 0)
	var c cursorFile
	if json.Unmarshal(buf[:n], &c) != nil || c.CRC32C != c.checksum() || c.Offset < 0 {
		return Position{}, true, nil
	}
	return c.Position, false, nil
}

// saveCursor replaces the cursor file so that a crash at any point leaves the old or the new one, whole.
func saveCursor(fsys FS, dir string, p Position) error {
	line, err := json.Marshal(cursorFile{Position: p, CRC32C: p.checksum()})
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, cursorName+".tmp")
	f, err := fsys.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, FileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write the cursor: %w", err)
	}
	if err := fsys.Rename(tmp, filepath.Join(dir, cursorName)); err != nil {
		return fmt.Errorf("replace the cursor: %w", err)
	}
	return fsys.SyncDir(dir)
}
