package logtool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// ErrInUse says that a gateway, or another run of the tool, has the component's directory.
var ErrInUse = errors.New("in use")

const (
	extension = ".jsonl"
	// segmentBytes is log::max_segment_size_mib's default: the tool does not know the configuration.
	segmentBytes = 64 << 20
)

// look returns the log as it is now. A log that has vanished is empty.
func (l Log) look() (segment.View, error) {
	v, err := segment.Look(segment.OS{}, l.dir, extension, record.Lines{})
	if errors.Is(err, fs.ErrNotExist) {
		return segment.View{}, nil
	}
	return v, err
}

// lock takes the component's directory.
func (l Log) lock() (io.Closer, error) {
	if err := checkOwner(l.root); err != nil {
		return nil, err
	}
	c, err := segment.OS{}.Lock(filepath.Join(l.root, "lock"))
	if errors.Is(err, segment.ErrLocked) {
		return nil, fmt.Errorf("%w: %s: a gateway runs on it, or another run of this command; stop that first", ErrInUse, l.root)
	}
	return c, err
}

// owned is a log that the tool has open for writing.
type owned struct {
	*segment.Log
	trouble error // what the log met where no call of ours returns it
}

// open opens the log as its owner. The caller has the lock. There is no limit to its size: what the gateway's own limits
// say of it is seen at its next start.
func (l Log) open() (*owned, error) {
	o := &owned{}
	var err error
	o.Log, err = segment.Open(segment.Options{
		Dir: l.dir, Extension: extension, Format: record.Lines{},
		Budget:          &segment.Budget{Max: math.MaxInt64 / 2},
		MaxSegmentBytes: segmentBytes, Sync: segment.SyncBatch,
		OnError: func(err error) { o.trouble = errors.Join(o.trouble, err) },
	})
	return o, err
}

// append puts a record at the end, as it is.
func (o *owned) append(data []byte) error {
	return o.Append(append(data, '\n'))
}
