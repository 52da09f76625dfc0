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
Lists the logs and dead letters of components by signal: segments, bytes, unread bytes, the records and items in them, the
ages of the oldest and the newest record, the cursor, and quarantined bytes, which were damaged. Unread bytes are those that
have been neither delivered nor deleted. The command reads every record; with -fast it reads names and cursors only.`,
	run: func(ctx context.Context, t *tool) error {
		s := t.selection()
		asJSON := t.flags.Bool("json", false, "print a JSON array with every segment")
		fast := t.flags.Bool("fast", false, "do not read the records")
		segments := t.flags.Bool("segments", false, "also list every segment")
		showProgress := t.progressFlag()
		logs, err := t.logs(s, anyLog)
		if err != nil {
			return err
		}
		report, end := t.progress(*showProgress)
		all, err := logtool.List(ctx, logs, !*fast, report)
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
			if c.WithoutKey > 0 {
				records += fmt.Sprintf(" (%d encrypted)", c.WithoutKey)
			}
			if c.DamagedBytes > 0 {
				records += fmt.Sprintf(" (%s damaged)", size(c.DamagedBytes))
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d:%d\t%s\n", s.Component, name, len(s.Segments),
			size(s.Bytes), size(s.UnreadBytes), records, items, oldest, newest, s.Cursor.Segment, s.Cursor.Offset, size(s.QuarantinedBytes))
		for _, name := range s.Compressed {
			fmt.Fprintf(w, "\t  %s: compressed by an earlier version; decompress it with `unzstd --rm`\n", name)
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

// age formats the time since at.
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
Prints the unread records as OTLP JSON, one request per line, log by log and oldest first. The last member of each request,
"fallbacklog", has the exporter's own data. Damaged records are skipped, and their bytes are counted on standard error.`,
	run: func(ctx context.Context, t *tool) error {
		s := t.selection()
		var sel logtool.Selection
		f := t.filter()
		dead := t.flags.Bool("dead-letter", false, "print the dead letter instead of the log")
		t.flags.BoolVar(&sel.All, "all", false, "also print records that are done but not deleted yet")
		t.flags.IntVar(&sel.Limit, "n", 0, "maximum number of `records`; 0: all")
		logs, err := t.logs(s, func(l logtool.Log) bool { return l.DeadLetter == *dead })
		if err != nil {
			return err
		}
		sel.Filter = *f
		damaged, err := logtool.Cat(ctx, logs, sel, t.stdout)
		if err == nil && damaged > 0 {
			err = fmt.Errorf("%w: %s skipped", errDamaged, size(damaged))
		}
		return err
	},
}

var verify = command{
	name: "verify", help: `
Reads every byte and checks every checksum. The exit code is 3 if it finds damage. An unfinished record at the end of the
newest segment is not damage: the gateway is writing it, or a crash interrupted the write before it was acknowledged.`,
	run: func(ctx context.Context, t *tool) error {
		s := t.selection()
		asJSON := t.flags.Bool("json", false, "print a JSON array")
		showProgress := t.progressFlag()
		logs, err := t.logs(s, anyLog)
		if err != nil {
			return err
		}
		report, end := t.progress(*showProgress)
		all, err := logtool.Verify(ctx, logs, report)
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
			err = fmt.Errorf("%w in %d places: the gateway and `replay` skip the damaged bytes and copy them to quarantine/", errDamaged, damaged)
		}
		return err
	},
}

func writeChecks(out io.Writer, all []logtool.Check) {
	for _, c := range all {
		fmt.Fprintf(out, "%s: %d records, %d items, %s", c.Log, c.Records, c.Items, size(c.Bytes))
		if c.WithoutKey > 0 {
			fmt.Fprintf(out, ", %d records are encrypted with a key that was not given: only their checksums were verified", c.WithoutKey)
		}
		if c.Unfinished > 0 {
			fmt.Fprintf(out, ", %d bytes at the end are unfinished", c.Unfinished)
		}
		fmt.Fprintln(out)
		for _, d := range c.Lost {
			fmt.Fprintf(out, "  damage: %s: %s\n", d.Path, damageTexts[d.Kind])
		}
		for _, d := range c.Damage {
			fmt.Fprintf(out, "  damage: %s, bytes %d to %d\n", d.Segment, d.Start, d.End)
		}
	}
}

// damageTexts describes the damage of whole segments.
var damageTexts = map[logtool.DamageKind]string{
	logtool.Emptied: "the segment is shorter than it was",
	logtool.Missing: "the segment that the cursor names is missing",
}

// timeFlag adds a flag whose value is a time or an age.
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
