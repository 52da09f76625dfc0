package logtool

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// Signals are the names of the directories in a component's directory.
var Signals = []string{"logs", "metrics", "traces"}

// ErrNoLog means that a directory contains no log.
var ErrNoLog = errors.New("no log there")

// Log is one log on disk: a signal's log or its dead letter.
type Log struct {
	Component  string `json:"component"` // its id
	Signal     string `json:"signal"`
	DeadLetter bool   `json:"dead_letter"`

	root   string // the component's directory
	dir    string // the log's
	reader record.Reader
}

// WithKey returns the log with the key of its encrypted records: 32 bytes in base64 or hex, as in encryption::key. Without it
// only the sizes and checksums of these records are known.
func (l Log) WithKey(text string) (Log, error) {
	key, err := record.NewKey(text)
	if err != nil {
		return Log{}, fmt.Errorf("key: %w", err)
	}
	l.reader.Key = key
	return l, nil
}

// String returns the name for messages.
func (l Log) String() string {
	name := l.Component + " " + l.Signal
	if l.DeadLetter {
		name += " dead letter"
	}
	return name
}

// Find returns the logs below a directory, sorted. The directory is log::directory, or the directory of one component in it.
// Find returns ErrNoLog if there are none.
func Find(dir string) ([]Log, error) {
	dir = filepath.Clean(dir)
	logs, err := component(dir)
	if err != nil {
		return nil, err
	}
	if len(logs) > 0 {
		return logs, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		found, err := component(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		logs = append(logs, found...)
	}
	if len(logs) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoLog)
	}
	slices.SortStableFunc(logs, func(a, b Log) int { return cmp.Compare(a.Component, b.Component) })
	return logs, nil
}

// component returns the logs of the component whose directory is root, or none if it is another directory.
func component(root string) (logs []Log, err error) {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	id, err := url.PathUnescape(filepath.Base(absolute))
	if err != nil {
		id = filepath.Base(absolute)
	}
	for _, signal := range Signals {
		for _, l := range []Log{
			{Component: id, Signal: signal, root: root, dir: filepath.Join(root, signal)},
			{Component: id, Signal: signal, DeadLetter: true, root: root, dir: filepath.Join(root, signal, "dead-letter")},
		} {
			fi, err := os.Stat(l.dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if fi.IsDir() {
				logs = append(logs, l)
			}
		}
	}
	return logs, nil
}
