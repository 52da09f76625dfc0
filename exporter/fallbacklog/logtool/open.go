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

// ErrInUse means that a gateway, or another run of the tool, has locked the component's directory.
var ErrInUse = errors.New("in use")

// segmentBytes is the default of log::max_segment_size_mib: the tool does not know the configuration.
const segmentBytes = 64 << 20

func kind(c record.Codec) segment.Kind {
	return segment.Kind{Extension: c.Extension(), Format: c}
}

// kinds are the kinds of segments in a log, whatever log::format is now.
var kinds = []segment.Kind{kind(record.Lines{}), kind(record.Frames{})}

// view returns a view of the log. A log that has disappeared is empty.
func (l Log) view() (segment.View, error) {
	v, err := segment.ReadView(segment.OS{}, l.dir, kinds...)
	if errors.Is(err, fs.ErrNotExist) {
		return segment.View{}, nil
	}
	return v, err
}

// lock locks the component's directory.
func (l Log) lock() (io.Closer, error) {
	if err := checkOwner(l.root); err != nil {
		return nil, err
	}
	c, err := segment.OS{}.Lock(filepath.Join(l.root, "lock"))
	if errors.Is(err, segment.ErrInUse) {
		return nil, fmt.Errorf("%w: %s: a gateway or another run of this command uses it; stop that first", ErrInUse, l.root)
	}
	return c, err
}

// writableLog is a log that the tool has opened for writing.
type writableLog struct {
	*segment.Log
	dir        string
	codec      record.Codec // of new records
	unreported error        // errors that no call returns
	damaged    int64        // bytes that are no record
}

// open opens the log for writing. The caller has locked it. The size is not limited; the gateway applies its own limits at its
// next start.
func (l Log) open() (*writableLog, error) {
	o := &writableLog{dir: l.dir, codec: record.Lines{}}
	return o, o.open()
}

func (o *writableLog) open() (err error) {
	o.Log, err = segment.Open(segment.Options{
		Dir: o.dir, Kind: kind(o.codec), Also: kinds,
		Budget:          &segment.Budget{Max: math.MaxInt64 / 2},
		MaxSegmentBytes: segmentBytes, Sync: segment.SyncBatch,
		OnDamage: func(d segment.Damage) { o.damaged += d.Bytes },
		OnError:  func(err error) { o.unreported = errors.Join(o.unreported, err) },
	})
	return err
}

// append appends a record unchanged. If its format differs from that of the last record it needs a segment of another kind, so
// the log is opened again. Next then returns again what it has returned and what is not done.
func (o *writableLog) append(data []byte) error {
	if c := (record.Reader{}).CodecOf(data); c != o.codec {
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
