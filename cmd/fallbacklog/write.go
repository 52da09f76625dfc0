package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"
)

var replay = command{
	name: "replay", help: `
Sends the unread records of logs to an OTLP endpoint, one request at a time and oldest first, and marks accepted records as
done. The gateway must be stopped. The command stops at the first record that the endpoint refuses or does not accept in
-attempts attempts, and when it is interrupted. The same command then continues with that record. Damaged records are
skipped.

The metadata of metadata_keys is not sent. Use -header for the headers that the endpoint needs.`,
	run: func(ctx context.Context, t *tool) error {
		s := t.selection()
		opt := logtool.ReplayOptions{Pause: time.Second}
		to := logtool.TargetOptions{Headers: map[string]string{}}
		dead := t.flags.Bool("dead-letter", false, "send the dead letter instead of the log")
		t.flags.StringVar(&to.Endpoint, "endpoint", "", "OTLP server: grpc://`host:port`, grpcs:// (with TLS), or http:// or https:// for OTLP over HTTP")
		t.flags.StringVar(&to.CAFile, "ca", "", "PEM `file` of the certificates to trust; default: the system's")
		t.flags.Func("header", "`name=value` to send with every request; may be repeated", func(text string) error {
			name, value, ok := strings.Cut(text, "=")
			if !ok || name == "" {
				return errors.New("must be name=value")
			}
			to.Headers[name] = value
			return nil
		})
		t.flags.Float64Var(&opt.PerSecond, "max-requests-per-second", 0, "maximum rate; 0: as fast as the endpoint answers")
		t.flags.DurationVar(&opt.Timeout, "timeout", 10*time.Second, "timeout of one attempt")
		t.flags.IntVar(&opt.Attempts, "attempts", 10, "maximum number of attempts per record; pauses between them double from 1 s to 30 s")
		showProgress := t.progressFlag()
		logs, err := t.logs(s, func(l logtool.Log) bool { return l.DeadLetter == *dead })
		if err != nil {
			return err
		}
		switch {
		case opt.PerSecond < 0 || math.IsNaN(opt.PerSecond) || math.IsInf(opt.PerSecond, 0):
			return fmt.Errorf("%w: max-requests-per-second: must be 0 or more (got %v)", errUsage, opt.PerSecond)
		case opt.Attempts < 1:
			return fmt.Errorf("%w: attempts: must be 1 or more (got %d)", errUsage, opt.Attempts)
		case opt.Timeout <= 0:
			return fmt.Errorf("%w: timeout: must be more than 0 (got %v)", errUsage, opt.Timeout)
		}
		target, err := logtool.NewTarget(to)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		var end func()
		opt.Progress, end = t.progress(*showProgress)
		all, err := logtool.Replay(ctx, logs, target, opt)
		end()
		var damaged error
		for _, r := range all {
			fmt.Fprintf(t.stdout, "%s: %d records, %d items sent", r.Log, r.Records, r.Items)
			if r.RefusedItems > 0 {
				fmt.Fprintf(t.stdout, ", %d of them rejected (%s)", r.RefusedItems, r.Message)
			}
			if r.Damaged > 0 {
				fmt.Fprintf(t.stdout, ", %s of damage skipped", size(r.Damaged))
				damaged = errDamaged
			}
			if err != nil {
				fmt.Fprintf(t.stdout, ", the next record is at %d:%d", r.Next.Segment, r.Next.Offset)
			}
			fmt.Fprintln(t.stdout)
		}
		if err != nil {
			damaged = nil
		}
		return errors.Join(err, damaged, target.Close())
	},
}

var requeue = command{
	name: "requeue", help: `
Moves the records of the dead letter, or those that the flags select, to the end of the signal's log, from which they are
replayed. First correct the reason why the data was refused. A record is durable in the log before it leaves the dead letter.
If a gateway runs on the directory, it does the work within a second. Otherwise the command does it, and the gateway replays
the records after its next start.`,
	run: func(ctx context.Context, t *tool) error {
		return t.moveOrDelete(ctx, logtool.Requeueing, logtool.Requeue, "moved to the log")
	},
}

var discard = command{
	name: "discard", help: `
Deletes the records of the dead letter that the flags select; -all selects all of them. If a gateway runs on the directory,
it does the work within a second. Deleted records cannot be restored: look at them first with cat -dead-letter and the same
flags.`,
	run: func(ctx context.Context, t *tool) error {
		return t.moveOrDelete(ctx, logtool.Discarding, logtool.Discard, "discarded")
	},
}

// moveOrDelete requeues or discards records. If a gateway runs on the directory, it asks the gateway to do so.
func (t *tool) moveOrDelete(ctx context.Context, command string,
	do func(context.Context, []logtool.Log, logtool.Filter, logtool.Progress) ([]logtool.DeadLetterResult, error), did string,
) error {
	s := t.selection()
	f := t.filter()
	everything := t.flags.Bool("all", command == logtool.Requeueing, "select all records")
	wait := t.flags.Duration("wait", time.Minute, "how long to wait for a gateway that runs on the directory")
	showProgress := t.progressFlag()
	logs, err := t.logs(s, deadLetter)
	switch {
	case err != nil:
		return err
	case f.Empty() && !*everything:
		return fmt.Errorf("%w: %s: must have -code, -reason, -since, -until, -contains or -all (got none)", errUsage, command)
	case *wait <= 0:
		return fmt.Errorf("%w: wait: must be more than 0 (got %v)", errUsage, *wait)
	}
	report, end := t.progress(*showProgress)
	all, err := do(ctx, logs, *f, report)
	end()
	if errors.Is(err, logtool.ErrInUse) {
		asking, stop := context.WithTimeout(ctx, *wait)
		defer stop()
		var more []logtool.DeadLetterResult
		more, err = logtool.Ask(asking, logs[len(all)-1:], command, *f)
		all = append(all[:len(all)-1], more...)
	}
	for _, r := range all {
		fmt.Fprintf(t.stdout, "%s: %d records, %d items %s", r.Log, r.Records, r.Items, did)
		if r.Kept > 0 {
			fmt.Fprintf(t.stdout, ", %d records kept", r.Kept)
		}
		if r.WithoutKey > 0 {
			fmt.Fprintf(t.stdout, "; %d records are encrypted, so their items are unknown without the key", r.WithoutKey)
		}
		fmt.Fprintln(t.stdout)
	}
	return err
}
