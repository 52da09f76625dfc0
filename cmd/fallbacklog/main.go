// Command fallbacklog lists, checks and empties the logs of the fallbacklog exporter.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"
)

// The exit codes. usage explains them.
const (
	exitDone = iota
	exitFailed
	exitUsage
	exitDamaged
	exitInUse
	exitInterrupted
)

const usage = `Lists, checks and empties the logs of the fallbacklog exporter.

Usage: fallbacklog <command> [flags] <directory>

The directory is the exporter's log::directory, or the directory of one component in it.

Commands that only read. They are safe while a gateway runs:
  ls       list components, signals, segments, records, bytes, ages and cursors
  cat      print records as OTLP JSON, one request per line
  verify   check every checksum

Commands for dead letters. If a gateway runs on the directory, it does the work:
  requeue  move all or selected records of a dead letter back into the log
  discard  delete selected records of a dead letter

A command that needs the gateway stopped, because it locks the component's directory:
  replay   send the records of a log to an OTLP endpoint

fallbacklog <command> -help shows the flags, fallbacklog --version the version.

Exit codes:
  0  done
  1  failed
  2  wrong arguments
  3  verify, cat, replay: damage was found
  4  the directory is in use
  5  interrupted; the same command continues where it stopped
`

// command is one of the commands in usage.
type command struct {
	name string
	help string // the description for -help
	run  func(context.Context, *tool) error
}

func commands() []command { return []command{ls, cat, verify, requeue, discard, replay} }

// tool is one run of a command.
type tool struct {
	flags          *flag.FlagSet
	args           []string // after the command's name
	stdout, stderr io.Writer
	terminal       bool // stderr is a terminal
}

var (
	errUsage   = errors.New("wrong arguments")
	errDamaged = errors.New("damage")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fi, err := os.Stderr.Stat()
	terminal := err == nil && fi.Mode()&os.ModeCharDevice != 0
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, terminal)
	stop()
	os.Exit(code)
}

// run runs a command and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, terminal bool) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return exitDone
	case "version", "-version", "--version":
		fmt.Fprintln(stdout, "fallbacklog "+version())
		return exitDone
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		t := &tool{flags: flag.NewFlagSet(c.name, flag.ContinueOnError), args: args[1:], stdout: stdout, stderr: stderr, terminal: terminal}
		t.flags.SetOutput(io.Discard)
		t.flags.Usage = func() {}
		err := c.run(ctx, t)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(stdout, "%s\n\nUsage: fallbacklog %s [flags] <directory>\n\nFlags:\n", strings.TrimSpace(c.help), c.name)
			t.flags.SetOutput(stdout)
			t.flags.PrintDefaults()
			return exitDone
		}
		if err != nil {
			fmt.Fprintf(stderr, "fallbacklog %s: %v\n", c.name, err)
		}
		return exitCode(err)
	}
	fmt.Fprintf(stderr, "fallbacklog: command: must be one of ls, cat, verify, requeue, discard, replay (got %q)\n", args[0])
	return exitUsage
}

// exitCode returns the exit code for the error of a command.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errDamaged):
		return exitDamaged
	case errors.Is(err, logtool.ErrInUse):
		return exitInUse
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitFailed
}
