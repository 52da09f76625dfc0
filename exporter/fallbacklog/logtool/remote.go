package logtool

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// A running gateway has locked its directory. The command then writes a request as a JSON file, which the gateway reads within
// a second. The gateway's response is also a file.
const (
	requestFile = "request.json"
	answerFile  = "answer.json"
)

// The commands of a request.
const (
	Requeueing = "requeue"
	Discarding = "discard"
)

// Request asks a gateway to requeue or discard records in the dead letters of one component.
type Request struct {
	ID      string   `json:"id"` // the response has the same
	Command string   `json:"command"`
	Signals []string `json:"signals"`
	Filter  Filter   `json:"filter"`
}

// Response is a gateway's response to a request.
type Response struct {
	ID    string             `json:"id"`
	Done  []DeadLetterResult `json:"done"`
	Error string             `json:"error,omitempty"`
}

var (
	// ErrNotPickedUp means that no gateway has responded to a request.
	ErrNotPickedUp = errors.New("the gateway does not pick the request up: it may be of an earlier version, or about to start or to end")
	// errRefused means that a gateway could not do all that a request asks for.
	errRefused = errors.New("the gateway could not do all of it")
)

// pollAnswer is the interval at which the command looks for a response.
const pollAnswer = 50 * time.Millisecond

// Ask writes a request to the directory of each component and waits for the response of the gateway that runs there.
func Ask(ctx context.Context, logs []Log, command string, f Filter) ([]DeadLetterResult, error) {
	var all []DeadLetterResult
	for len(logs) > 0 {
		root := logs[0].root
		r := Request{ID: rand.Text(), Command: command, Filter: f}
		for _, l := range logs {
			if l.root == root && l.DeadLetter {
				r.Signals = append(r.Signals, l.Signal)
			}
		}
		a, err := r.ask(ctx, root)
		for k := range a.Done {
			a.Done[k].Component = logs[0].Component
		}
		all = append(all, a.Done...)
		if err != nil {
			return all, err
		}
		logs = slices.DeleteFunc(slices.Clone(logs), func(l Log) bool { return l.root == root })
	}
	return all, nil
}

func (r Request) ask(ctx context.Context, root string) (a Response, err error) {
	if err := checkOwner(root); err != nil {
		return a, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	path := filepath.Join(root, requestFile)
	temp := path + "." + r.ID
	if err := os.WriteFile(temp, text, segment.FileMode); err != nil {
		return a, err
	}
	err = os.Link(temp, path) // atomically, and only if no other request waits
	err = errors.Join(err, os.Remove(temp))
	if errors.Is(err, fs.ErrExist) {
		return a, fmt.Errorf("%w: %s: another request waits", ErrInUse, path)
	}
	if err != nil {
		return a, err
	}
	tick := time.NewTicker(pollAnswer)
	defer tick.Stop()
	for {
		answer := filepath.Join(root, answerFile)
		if text, err := os.ReadFile(answer); err == nil && json.Unmarshal(text, &a) == nil && a.ID == r.ID {
			if a.Error != "" {
				err = fmt.Errorf("%w: %s", errRefused, a.Error)
			}
			return a, errors.Join(err, os.Remove(answer))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err := os.Remove(path); err == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return Response{}, ErrNotPickedUp
			}
			return Response{}, ctx.Err()
		}
	}
}

// Pending returns the request that waits in a component's directory. ok is false if there is none. The gateway calls it;
// without a request it costs one stat call.
func Pending(fsys segment.Files, root string) (r Request, ok bool, err error) {
	path := filepath.Join(root, requestFile)
	fi, err := fsys.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxRequest {
		return r, false, fmt.Errorf("%s: must be a regular file of at most %d bytes", path, maxRequest)
	}
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return r, false, err
	}
	defer func() { _ = f.Close() }() // opened for reading
	text := make([]byte, fi.Size())
	if _, err := f.ReadAt(text, 0); err != nil {
		return r, false, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, true, fmt.Errorf("%s: %w", path, err)
	}
	if r.Command != Requeueing && r.Command != Discarding {
		return r, true, fmt.Errorf("%s: command: must be one of %s, %s (got %q)", path, Requeueing, Discarding, r.Command)
	}
	return r, true, nil
}

// maxRequest bounds a request, in bytes.
const maxRequest = 1 << 20

// Reply writes the gateway's response and then removes the request.
func Reply(fsys segment.Files, root string, a Response) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	f, err := fsys.OpenFile(filepath.Join(root, answerFile), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, segment.FileMode)
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Close())
	}
	return errors.Join(err, fsys.Remove(filepath.Join(root, requestFile)))
}
