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

// segmentBytes is log::max_segment_size_mib's default: the tool does not know the configuration.
const segmentBytes = 64 << 20

func kind(c record.Codec) segment.Kind {
	return segment.Kind{Extension: c.Extension(), Format: c}
}

// kinds of segments that a log may hold, whatever log::format says now.
var kinds = []segment.Kind{kind(record.Lines{}), kind(record.Frames{})}

// look returns the log as it is now. A log that has vanished is empty.
func (l Log) look() (segment.View, error) {
	v, err := segment.Look(segment.OS{}, l.dir, kinds...)
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
	dir     string
	codec   record.Codec // of what is written
	trouble error        // what the log met where no call of ours returns it
	damaged int64        // bytes that were no record
}

// open opens the log as its owner. The caller has the lock. There is no limit to its size: what the gateway's own limits
// say of it is seen at its next start.
func (l Log) open() (*owned, error) {
	o := &owned{dir: l.dir, codec: record.Lines{}}
	return o, o.open()
}

func (o *owned) open() (err error) {
	o.Log, err = segment.Open(segment.Options{
		Dir: o.dir, Kind: kind(o.codec), Also: kinds,
		Budget:          &segment.Budget{Max: math.MaxInt64 / 2},
		MaxSegmentBytes: segmentBytes, Sync: segment.SyncBatch,
		OnDamage: func(d segment.Damage) { o.damaged += d.Bytes },
		OnError:  func(err error) { o.trouble = errors.Join(o.trouble, err) },
	})
	return err
}

// append puts a record at the end, as it is. One in another format than the last needs a segment of its own kind, for
// which the log is opened again: what Next has returned and is not done is returned again.
func (o *owned) append(data []byte) error {
	if c := (record.Reader{}).Of(data); c != o.codec {
		if err := o.Close(); err != nil {
			return err
		}
		o.codec = c
		if err := o.open(); err != nil {
			return err
		}
	}
	whole, err := record.Reader{}.Copy(o.codec, data)
	if err != nil {
		return err
	}
	return o.Append(whole)
}
