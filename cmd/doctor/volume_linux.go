package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/otelcol-custom/otelcol-custom/internal/doctor"
)

// volumeTypes has the types of statfs(2) that matter for a log. For other file systems only the size is known.
var volumeTypes = map[int64]string{
	unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay",
}

// volumeOf describes the file system of a directory, or of its nearest existing parent.
func volumeOf(directory string) (doctor.Volume, error) {
	path, err := filepath.Abs(directory)
	if err != nil {
		return doctor.Volume{}, err
	}
	for {
		var (
			stat unix.Statfs_t
			file unix.Stat_t
		)
		err := unix.Statfs(path, &stat)
		if err == nil {
			err = unix.Stat(path, &file)
		}
		if err == nil {
			return doctor.Volume{ID: uint64(file.Dev), Type: volumeTypes[stat.Type], Bytes: stat.Blocks * uint64(stat.Bsize)}, nil //nolint:unconvert // 32 bits on some systems
		}
		if !errors.Is(err, fs.ErrNotExist) || path == "/" {
			return doctor.Volume{}, fmt.Errorf("statfs %s: %w", path, err)
		}
		path = filepath.Dir(path)
	}
}
