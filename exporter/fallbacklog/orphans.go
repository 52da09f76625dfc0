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
)

const (
	// orphansAfter is when all components of the process have started and locked their directories.
	orphansAfter = 10 * time.Second
	// orphansEvery is how often a component looks again for as long as there are some.
	orphansEvery = 10 * time.Minute
)

// signalNames are the directories that a component's directory has.
var signalNames = []string{"logs", "metrics", "traces"}

// kinds are all kinds of segments, whichever is written.
var kinds = []segment.Kind{kind(record.Lines{}), kind(record.Frames{})}

// orphans finds data that no component sends: that of signals whose pipeline is gone, and of components that are gone or
// have another name now.
type orphans struct {
	core  *core
	bytes atomic.Int64 // found by the last look

	mu      sync.Mutex
	started map[string]bool // signals of the component
}

// claim notes that a signal is sent.
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

// look adds up and names what is unread. The first component of a log::directory also looks at its other directories.
func (o *orphans) look() {
	c := o.core
	var sum int64
	for _, signal := range signalNames {
		if !o.claimed(signal) {
			sum += o.name(c.root, signal)
		}
	}
	if lookers.first(c.cfg.Log.Directory, c) {
		sum += o.others()
	}
	o.bytes.Store(sum)
}

// others looks at the directories of components that do not run.
func (o *orphans) others() (sum int64) {
	c := o.core
	entries, err := c.fs.ReadDir(c.cfg.Log.Directory)
	if err != nil {
		return 0 // the logs say what is wrong with it
	}
	for _, e := range entries {
		root := filepath.Join(c.cfg.Log.Directory, e.Name())
		if !e.IsDir() || root == c.root || o.locked(root) {
			continue
		}
		for _, signal := range signalNames {
			sum += o.name(root, signal)
		}
	}
	return sum
}

// locked reports whether somebody has a component's directory.
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

// name returns the unread bytes of a signal in a component's directory, and says what to do about them.
func (o *orphans) name(root, signal string) int64 {
	dir := filepath.Join(root, signal)
	log, dead := o.unread(dir), o.unread(filepath.Join(dir, deadLetterDir))
	if log+dead == 0 {
		return 0
	}
	id, err := url.PathUnescape(filepath.Base(root))
	if err != nil {
		id = filepath.Base(root)
	}
	o.core.states.Warn( // there are few, and they are looked for rarely
		"no component sends what is in this directory: configure one again that has its name and signal, or send it by the command",
		zap.String("directory", dir), zap.Int64("bytes", log), zap.Int64("dead_letter_bytes", dead),
		zap.String("command", "fallbacklog replay -endpoint grpc://host:port -component "+id+" -signal "+signal+" "+o.core.cfg.Log.Directory))
	return log + dead
}

func (o *orphans) unread(dir string) (sum int64) {
	v, err := segment.Look(o.core.fs, dir, kinds...)
	if err != nil {
		return 0 // there is none
	}
	for _, s := range v.Segments {
		sum += s.Unread
	}
	return sum
}

// firsts elects one component for each directory. Safe for concurrent use.
type firsts struct {
	mu          sync.Mutex
	byDirectory map[string]*core
}

var lookers = &firsts{byDirectory: map[string]*core{}}

// first reports whether a component is the one for a directory: the first that asked and is not gone.
func (f *firsts) first(dir string, c *core) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byDirectory[dir] == nil {
		f.byDirectory[dir] = c
	}
	return f.byDirectory[dir] == c
}

func (f *firsts) leave(dir string, c *core) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byDirectory[dir] == c {
		delete(f.byDirectory, dir)
	}
}
