package main

import (
	"fmt"
	"io"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"
)

// progress reports the progress of long work. On a terminal it overwrites one line; otherwise it writes a line per report.
type progress struct {
	out      io.Writer
	terminal bool // out is a terminal
	now      func() time.Time
	began    time.Time
	next     time.Time // of the next report
	wrote    bool
}

// progressFlag adds the flag -progress. By default it is on if standard error is a terminal.
func (t *tool) progressFlag() *bool {
	return t.flags.Bool("progress", t.terminal, "report progress on standard error; on by default if that is a terminal")
}

// progress returns the callback for the library and a function that ends the line. The callback is nil if enabled is
// false.
func (t *tool) progress(enabled bool) (logtool.Progress, func()) {
	if !enabled {
		return nil, func() {}
	}
	p := &progress{out: t.stderr, terminal: t.terminal, now: time.Now, began: time.Now()}
	return p.report, p.end
}

// interval returns the time between two reports.
func (p *progress) interval() time.Duration {
	if p.terminal {
		return 200 * time.Millisecond
	}
	return 5 * time.Second
}

// report writes a report if one is due or the work is done.
func (p *progress) report(doneBytes, totalBytes int64) {
	now := p.now()
	if now.Before(p.next) && doneBytes < totalBytes {
		return
	}
	p.next = now.Add(p.interval())
	line := progressLine(doneBytes, totalBytes, now.Sub(p.began))
	if p.terminal {
		fmt.Fprintf(p.out, "\r%-70s", line)
	} else {
		fmt.Fprintln(p.out, line)
	}
	p.wrote = true
}

func (p *progress) end() {
	if p.wrote && p.terminal {
		fmt.Fprintln(p.out)
	}
}

// progressLine returns the progress, the speed, and the remaining time at that speed.
func progressLine(doneBytes, totalBytes int64, elapsed time.Duration) string {
	percent := 100.0
	if totalBytes > 0 {
		percent = 100 * float64(doneBytes) / float64(totalBytes)
	}
	line := fmt.Sprintf("%s of %s (%.0f %%)", size(doneBytes), size(totalBytes), percent)
	if elapsed <= 0 || doneBytes == 0 {
		return line
	}
	perSecond := float64(doneBytes) / elapsed.Seconds()
	remaining := time.Duration(float64(totalBytes-doneBytes) / perSecond * float64(time.Second))
	return fmt.Sprintf("%s, %s/s, %s left", line, size(int64(perSecond)), remaining.Round(time.Second))
}

// size formats a number of bytes with a binary unit.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n)/1024, 0
	for ; v >= 1024 && u < len(units)-1; u++ {
		v /= 1024
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}
