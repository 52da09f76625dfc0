package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"
)

var replay = command{
	name: "replay", help: `
Sends what logs hold to an OTLP endpoint, one request after the other, oldest first, and marks as done what the endpoint
took; the gateway has to be stopped. It stops at the first record that the endpoint refuses, or does not take in
-attempts attempts, and when it is interrupted; the same command then goes on with that record.

With -keep nothing is marked and no lock is taken, so that it works beside a running gateway, which will send the same
records too. It tells where it stopped; -from goes on there.

The metadata of metadata_keys is not sent: -header says what the endpoint needs.`,
	run: func(ctx context.Context, t *tool) error {
		s := t.selection()
		opt := logtool.ReplayOptions{Pause: time.Second}
		to := logtool.TargetOptions{Headers: map[string]string{}}
		dead := t.flags.Bool("dead-letter", false, "the dead letter instead of the log")
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
		t.flags.BoolVar(&opt.Keep, "keep", false, "mark nothing as done and take no lock")
		t.flags.Func("from", "with -keep, and one log: `segment:offset` to begin at", func(text string) (err error) {
			number, offset, ok := strings.Cut(text, ":")
			if ok {
				opt.From.Segment, err = strconv.ParseUint(number, 10, 64)
			}
			if ok && err == nil {
				opt.From.Offset, err = strconv.ParseInt(offset, 10, 64)
			}
			if !ok || err != nil || opt.From.Offset < 0 {
				return errors.New("must be segment:offset, as a stopped replay says")
			}
			return nil
		})
		t.flags.Float64Var(&opt.PerSecond, "max-requests-per-second", 0, "0: as fast as the endpoint answers")
		t.flags.DurationVar(&opt.Timeout, "timeout", 10*time.Second, "of one attempt")
		t.flags.IntVar(&opt.Attempts, "attempts", 10, "for one record; pauses between them double from 1 s to 30 s")
		tell := t.progressFlag()
		logs, err := t.logs(s, func(l logtool.Log) bool { return l.DeadLetter == *dead })
		if err != nil {
			return err
		}
		switch {
		case opt.From.Segment > 0 && (!opt.Keep || len(logs) > 1):
			return fmt.Errorf("%w: from: needs -keep and one log (got %d: choose with -component and -signal)", errUsage, len(logs))
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
		opt.Progress, end = t.progress(*tell)
		all, err := logtool.Replay(ctx, logs, target, opt)
		end()
		var damaged error
		for _, r := range all {
			fmt.Fprintf(t.stdout, "%s: %d records, %d items sent", r.Log, r.Records, r.Items)
			if r.Rejected > 0 {
				fmt.Fprintf(t.stdout, ", %d of them rejected (%s)", r.Rejected, r.Message)
			}
			if r.Damaged > 0 {
				fmt.Fprintf(t.stdout, ", %s of damage passed over", size(r.Damaged))
				damaged = errDamaged
			}
			if err != nil {
				fmt.Fprintf(t.stdout, ", next is %d:%d", r.Next.Segment, r.Next.Offset)
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
Moves what the dead letter holds to the end of its signal's log; the gateway has to be stopped. Its next start replays
it: correct first what the data was refused for. A record is durable in the log before it leaves the dead letter.`,
	run: func(ctx context.Context, t *tool) error {
		s := t.selection()
		tell := t.progressFlag()
		logs, err := t.logs(s, deadLetter)
		if err != nil {
			return err
		}
		say, end := t.progress(*tell)
		all, err := logtool.Requeue(ctx, logs, say)
		end()
		for _, r := range all {
			fmt.Fprintf(t.stdout, "%s: %d records, %d items moved to the log", r.Log, r.Records, r.Items)
			if r.Locked > 0 {
				fmt.Fprintf(t.stdout, "; %d records are encrypted, and their items are not known without the key", r.Locked)
			}
			fmt.Fprintln(t.stdout)
		}
		return err
	},
}
