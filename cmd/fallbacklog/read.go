package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"
)

var ls = command{
	name: "ls", help: `
Lists components, their signals and dead letters: segments, bytes, what of them is unread (not dealt with), the records and items in that and when the oldest and newest were written, the cursor, and damaged bytes that were set aside.
It reads every record; -fast leaves them out and looks at names and cursors only.`,
	run: func(ctx context.Context, t *tool) error {
		s := t.selection()
		asJSON := t.flags.Bool("json", false, "a JSON array with every segment")
		fast := t.flags.Bool("fast", false, "do not read the records")
		segments := t.flags.Bool("segments", false, "list every segment too")
		tell := t.progressFlag()
		logs, err := t.logs(s, anyLog)
		if err != nil {
			return err
		}
		say, end := t.progress(*tell)
		all, err := logtool.List(ctx, logs, !*fast, say)
		end()
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(t.stdout, all)
		}
		return writeList(t.stdout, all, *segments, time.Now())
	},
}

func writeList(out io.Writer, all []logtool.Summary, segments bool, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "COMPONENT\tLOG\tSEGMENTS\tBYTES\tUNREAD\tRECORDS\tITEMS\tOLDEST\tNEWEST\tCURSOR\tQUARANTINE")
	for _, s := range all {
		name := s.Signal
		if s.DeadLetter {
			name += "/dead-letter"
		}
		records, items, oldest, newest := "-", "-", "-", "-"
		if c := s.Content; c != nil {
			records, items = fmt.Sprint(c.Records), fmt.Sprint(c.Items)
			oldest, newest = age(c.Oldest, now), age(c.Newest, now)
			if c.Locked > 0 {
				records += fmt.Sprintf(" (%d encrypted)", c.Locked)
			}
			if c.DamagedBytes > 0 {
				records += fmt.Sprintf(" (%s damaged)", size(c.DamagedBytes))
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d:%d\t%s\n", s.Component, name, len(s.Segments),
			size(s.Bytes), size(s.UnreadBytes), records, items, oldest, newest, s.Cursor.Segment, s.Cursor.Offset, size(s.QuarantinedB))
		for _, name := range s.Compressed {
			fmt.Fprintf(w, "\t  %s: compressed by an earlier version, to be read after `unzstd --rm`\n", name)
		}
		if !segments {
			continue
		}
		for _, g := range s.Segments {
			fmt.Fprintf(w, "\t  %s\t\t%s\t%s\t\t\t%s\n", g.Name, size(g.Bytes), size(g.Unread), age(g.Begun, now))
		}
	}
	return w.Flush()
}

// age is how long ago something was.
func age(at, now time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return now.Sub(at).Truncate(time.Second).String()
}

func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

var cat = command{
	name: "cat", help: `
Writes records as OTLP JSON, one request a line, with the exporter's own member "fallbacklog" last: what has not been
dealt with, log by log, oldest first. Damage is passed over and counted on standard error.`,
	run: func(ctx context.Context, t *tool) error {
		s := t.selection()
		var sel logtool.Selection
		f := t.filter()
		dead := t.flags.Bool("dead-letter", false, "the dead letter instead of the log")
		t.flags.BoolVar(&sel.All, "all", false, "also records that have been dealt with and are not deleted yet")
		t.flags.IntVar(&sel.Limit, "n", 0, "at most so many `records`; 0: all")
		logs, err := t.logs(s, func(l logtool.Log) bool { return l.DeadLetter == *dead })
		if err != nil {
			return err
		}
		sel.Filter = *f
		damaged, err := logtool.Cat(ctx, logs, sel, t.stdout)
		if err == nil && damaged > 0 {
			err = fmt.Errorf("%w: %s passed over", errDamaged, size(damaged))
		}
		return err
	},
}

var verify = command{
	name: "verify", help: `
Reads every byte and checks every checksum. It ends with code 3 where there is damage. An unfinished record at the end of
the newest segment is none: it is in writing, or a crash has torn it before anybody was told that it was taken.`,
	run: func(ctx context.Context, t *tool) error {
		s := t.selection()
		asJSON := t.flags.Bool("json", false, "a JSON array")
		tell := t.progressFlag()
		logs, err := t.logs(s, anyLog)
		if err != nil {
			return err
		}
		say, end := t.progress(*tell)
		all, err := logtool.Verify(ctx, logs, say)
		end()
		if err != nil {
			return err
		}
		damaged := 0
		for _, c := range all {
			damaged += len(c.Damage) + len(c.Lost)
		}
		if *asJSON {
			err = writeJSON(t.stdout, all)
		} else {
			writeChecks(t.stdout, all)
		}
		if err == nil && damaged > 0 {
			err = fmt.Errorf("%w in %d places: the gateway, and `replay`, pass over it and copy it to quarantine/", errDamaged, damaged)
		}
		return err
	},
}

func writeChecks(out io.Writer, all []logtool.Check) {
	for _, c := range all {
		fmt.Fprintf(out, "%s: %d records, %d items, %s", c.Log, c.Records, c.Items, size(c.Bytes))
		if c.Locked > 0 {
			fmt.Fprintf(out, ", %d records are encrypted: their checksums are right, their key is not there", c.Locked)
		}
		if c.Unfinished > 0 {
			fmt.Fprintf(out, ", %d bytes at the end are unfinished", c.Unfinished)
		}
		fmt.Fprintln(out)
		for _, d := range c.Lost {
			fmt.Fprintf(out, "  damage: %s: %s\n", d.Path, lost[d.Kind])
		}
		for _, d := range c.Damage {
			fmt.Fprintf(out, "  damage: %s, bytes %d to %d\n", d.Segment, d.Start, d.End)
		}
	}
}

// lost says what happened to a segment.
var lost = map[logtool.DamageKind]string{
	logtool.Emptied: "it is shorter than it was",
	logtool.Missing: "the cursor stands in it, and it is not there",
}

// timeFlag adds a flag that takes a time or an age.
func timeFlag(t *tool, at *time.Time, name, help string) {
	t.flags.Func(name, help, func(text string) error {
		if ago, err := time.ParseDuration(text); err == nil {
			*at = time.Now().Add(-ago)
			return nil
		}
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return errors.New("must be a time such as 2006-01-02T15:04:05Z or an age such as 15m")
		}
		*at = parsed
		return nil
	})
}
