package fallbacklog

import (
	"errors"
	"io/fs"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"
)

const (
	// orphansAfter is the time after the start of a component when all components of the process have locked their directories.
	orphansAfter = 10 * time.Second
	// orphansEvery is the interval of further searches while orphans exist.
	orphansEvery = 10 * time.Minute
)

// kinds are all kinds of segments, whichever kind is written.
var kinds = []segment.Kind{kind(record.Lines{}), kind(record.Frames{})}

// orphans finds data that no component sends: data of signals without a pipeline, and of components that were removed or
// renamed.
type orphans struct {
	core  *core
	bytes atomic.Int64 // found by the last search

	mu      sync.Mutex
	started map[string]bool // signals of the component
}

// claim records that a pipeline sends a signal.
func (o *orphans) claim(signal string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.started[signal] = true
}

func (o *orphans) claimed(signal string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.started[signal]
}

// search logs and adds up the unread data. The first component of a log::directory also searches the other directories in it.
func (o *orphans) search() {
	c := o.core
	var sum int64
	for _, signal := range logtool.Signals {
		if !o.claimed(signal) {
			sum += o.report(c.root, signal)
		}
	}
	if orphanSearchers.first(c.cfg.Log.Directory, c) {
		sum += o.others()
	}
	o.bytes.Store(sum)
}

// others searches the directories of components that do not run.
func (o *orphans) others() (sum int64) {
	c := o.core
	entries, err := c.fs.ReadDir(c.cfg.Log.Directory)
	if err != nil {
		return 0 // the logs report the error
	}
	for _, e := range entries {
		root := filepath.Join(c.cfg.Log.Directory, e.Name())
		if !e.IsDir() || root == c.root || o.locked(root) {
			continue
		}
		for _, signal := range logtool.Signals {
			sum += o.report(root, signal)
		}
	}
	return sum
}

// locked reports whether a process has locked a component's directory.
func (o *orphans) locked(root string) bool {
	lock := filepath.Join(root, "lock")
	if _, err := o.core.fs.Stat(lock); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	held, err := o.core.fs.Lock(lock)
	if err != nil {
		return true
	}
	return held.Close() != nil
}

// report returns the unread bytes of a signal in a component's directory, and logs how to send them.
func (o *orphans) report(root, signal string) int64 {
	dir := filepath.Join(root, signal)
	log, dead := o.unread(dir), o.unread(filepath.Join(dir, deadLetterDir))
	if log+dead == 0 {
		return 0
	}
	id, err := url.PathUnescape(filepath.Base(root))
	if err != nil {
		id = filepath.Base(root)
	}
	o.core.unsampled.Warn( // not sampled: orphans are few and searches are rare
		"no component sends what is in this directory: configure one with its name and signal, or send the data with the command",
		zap.String("directory", dir), zap.Int64("bytes", log), zap.Int64("dead_letter_bytes", dead),
		zap.String("command", "fallbacklog replay -endpoint grpc://host:port -component "+id+" -signal "+signal+" "+o.core.cfg.Log.Directory))
	return log + dead
}

func (o *orphans) unread(dir string) (sum int64) {
	v, err := segment.ReadView(o.core.fs, dir, kinds...)
	if err != nil {
		return 0 // no such directory
	}
	for _, s := range v.Segments {
		sum += s.Unread
	}
	return sum
}

// firstComponents chooses one component per directory. It is safe for concurrent use.
type firstComponents struct {
	mu          sync.Mutex
	byDirectory map[string]*core
}

var orphanSearchers = &firstComponents{byDirectory: map[string]*core{}}

// first reports whether a component is the chosen one of a directory: the first one that asked and still runs.
func (f *firstComponents) first(dir string, c *core) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byDirectory[dir] == nil {
		f.byDirectory[dir] = c
	}
	return f.byDirectory[dir] == c
}

func (f *firstComponents) leave(dir string, c *core) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byDirectory[dir] == c {
		delete(f.byDirectory, dir)
	}
}
