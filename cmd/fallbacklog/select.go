package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"
)

func anyLog(logtool.Log) bool       { return true }
func deadLetter(l logtool.Log) bool { return l.DeadLetter }

// selection has the flags that all commands share.
type selection struct {
	component string
	signal    string
	keyFile   string
}

// keyVariable is the environment variable with the key, unless a key file is given. An argument would be visible to other
// users of the host.
const keyVariable = "FALLBACKLOG_KEY"

func (t *tool) selection() *selection {
	s := &selection{}
	t.flags.StringVar(&s.component, "component", "", "only the component with this `id`, such as fallbacklog/eu")
	t.flags.StringVar(&s.signal, "signal", "", "only this `signal`: traces, metrics or logs")
	t.flags.StringVar(&s.keyFile, "key-file", "", "`file` with the key of encrypted records, as in encryption::key; default: the environment variable "+keyVariable)
	return s
}

// key returns the text of the key, or nothing without a key.
func (s *selection) key() (string, error) {
	if s.keyFile == "" {
		return os.Getenv(keyVariable), nil
	}
	text, err := os.ReadFile(s.keyFile)
	if err != nil {
		return "", fmt.Errorf("key-file: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return "", fmt.Errorf("%w: key-file: must contain a key (got an empty file)", errUsage)
	}
	return string(text), nil
}

// filter adds the flags that select records.
func (t *tool) filter() *logtool.Filter {
	f := &logtool.Filter{}
	list := func(to *[]string, name, help string) {
		t.flags.Func(name, help, func(text string) error {
			*to = append(*to, text)
			return nil
		})
	}
	list(&f.Codes, "code", "only records with this `code`, such as 413 or InvalidArgument; may be repeated")
	list(&f.Reasons, "reason", "only records with this `reason`, such as permanent or poison; may be repeated")
	timeFlag(t, &f.Since, "since", "only records written at this `time` or later: 2006-01-02T15:04:05Z, or an age such as 15m")
	timeFlag(t, &f.Until, "until", "only records written before this `time`")
	t.flags.StringVar(&f.Contains, "contains", "", "only records with this `text` in the output of cat, which includes the backend's message")
	return f
}

// parse parses the flags and the directory, which may precede them.
func (t *tool) parse() (dir string, err error) {
	args := t.args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		dir, args = args[0], args[1:]
	}
	if err := t.flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return "", err
		}
		return "", fmt.Errorf("%w: %w", errUsage, err)
	}
	rest := t.flags.Args()
	if dir == "" && len(rest) > 0 {
		dir, rest = rest[0], rest[1:]
	}
	if dir == "" || len(rest) > 0 {
		return "", fmt.Errorf("%w: must have one directory (got %q)", errUsage, t.args)
	}
	return dir, nil
}

// logs parses the arguments and returns the selected logs.
func (t *tool) logs(s *selection, which func(logtool.Log) bool) ([]logtool.Log, error) {
	dir, err := t.parse()
	if err != nil {
		return nil, err
	}
	if s.signal != "" && !slices.Contains(logtool.Signals, s.signal) {
		return nil, fmt.Errorf("%w: signal: must be traces, metrics or logs (got %q)", errUsage, s.signal)
	}
	all, err := logtool.Find(dir)
	if err != nil {
		return nil, err
	}
	logs := slices.DeleteFunc(all, func(l logtool.Log) bool {
		return s.component != "" && l.Component != s.component || s.signal != "" && l.Signal != s.signal || !which(l)
	})
	if len(logs) == 0 {
		return nil, fmt.Errorf("%s: %w that matches the flags", dir, logtool.ErrNoLog)
	}
	key, err := s.key()
	if err != nil || key == "" {
		return logs, err
	}
	for i := range logs {
		if logs[i], err = logs[i].WithKey(key); err != nil {
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
	}
	return logs, nil
}
