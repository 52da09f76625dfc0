package main

import (
	"fmt"
	"io"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"
)

// progress writes how far long work is: over one line of a terminal, else a line at a time.
type progress struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	began    time.Time
	next     time.Time // when there is something to say again
	wrote    bool
}

// flag adds -progress, whose default is to tell terminals.
func (t *tool) progressFlag() *bool {
	return t.flags.Bool("progress", t.terminal, "tell on standard error how far the work is; default: if that is a terminal")
}

// progress returns what to hand to the library, and what ends the line.
func (t *tool) progress(on bool) (logtool.Progress, func()) {
	if !on {
		return nil, func() {}
	}
	p := &progress{out: t.stderr, terminal: t.terminal, now: time.Now, began: time.Now()}
	return p.tell, p.end
}

// every is how often it writes.
func (p *progress) every() time.Duration {
	if p.terminal {
		return 200 * time.Millisecond
	}
	return 5 * time.Second
}

func (p *progress) tell(done, total int64) {
	now := p.now()
	if now.Before(p.next) && done < total {
		return
	}
	p.next = now.Add(p.every())
	line := progressLine(done, total, now.Sub(p.began))
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

// progressLine says how far the work is, how fast, and for how long it goes on at that pace.
func progressLine(done, total int64, took time.Duration) string {
	percent := 100.0
	if total > 0 {
		percent = 100 * float64(done) / float64(total)
	}
	line := fmt.Sprintf("%s of %s (%.0f %%)", size(done), size(total), percent)
	if took <= 0 || done == 0 {
		return line
	}
	perSecond := float64(done) / took.Seconds()
	left := time.Duration(float64(total-done) / perSecond * float64(time.Second))
	return fmt.Sprintf("%s, %s/s, %s left", line, size(int64(perSecond)), left.Round(time.Second))
}

// size is bytes for people.
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
