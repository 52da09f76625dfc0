// Command metricsload sends StatsD and DogStatsD metrics over UDP or to a Unix socket, or OTLP metrics over gRPC or HTTP, at
// a given rate. It prints an exact ledger of what it sent as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "metricsload:", err)
		os.Exit(1)
	}
}

// run sends the load that the arguments describe and writes the ledger to stdout, also after an interrupt.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	p, otlp := load.DefaultProfile(), load.DefaultOTLPProfile()
	types := strings.Join(p.Types, ",")
	flags := flag.NewFlagSet("metricsload", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, "Sends StatsD and DogStatsD metrics over UDP or to a Unix socket, or OTLP metrics, and prints a ledger of what it sent as JSON.\n\nUsage: metricsload [flags]\n\n")
		flags.PrintDefaults()
	}
	flags.StringVar(&p.Network, "network", p.Network, "udp, unixgram, otlp_grpc or otlp_http")
	flags.StringVar(&p.Endpoint, "endpoint", p.Endpoint, "receiver's `host:port`, or its socket's path with -network unixgram")
	flags.StringVar(&p.Prefix, "prefix", p.Prefix, "first part of every metric `name`")
	flags.StringVar(&types, "types", types, "comma-separated StatsD `types`, in turn over the series: c, g, ms, h, d, s")
	flags.IntVar(&p.Series, "series", p.Series, "distinct series over all connections")
	flags.BoolVar(&p.Shuffled, "shuffled", p.Shuffled, "send the series in a random order")
	flags.IntVar(&p.Tags, "tags", p.Tags, "tags per line; with 0 the metric name identifies the series")
	flags.IntVar(&p.Values, "values", p.Values, "values packed into one line (sets: always 1)")
	flags.Float64Var(&p.SampleRate, "sample-rate", p.SampleRate, "sample rate sent with c, ms, h and d, in (0, 1]")
	flags.IntVar(&p.PayloadBytes, "payload-bytes", p.PayloadBytes, "largest datagram, in bytes")
	flags.IntVar(&p.LinesPerDatagram, "lines-per-datagram", p.LinesPerDatagram, "lines per datagram; 0: as many as fit")
	flags.IntVar(&p.Connections, "connections", p.Connections, fmt.Sprintf("sockets, each with its own source port; OTLP: %d if not set", otlp.Connections))
	flags.Float64Var(&p.Rate, "rate", p.Rate, fmt.Sprintf("lines, or OTLP requests, per second over all connections; OTLP: %.0f if not set; 0 sends as fast as they are accepted", otlp.Rate))
	flags.DurationVar(&p.Duration, "duration", p.Duration, "how long to send; 0 sends until -lines are sent")
	flags.Uint64Var(&p.Lines, "lines", p.Lines, "lines to send; 0 sends until the duration ends")
	flags.Uint64Var(&p.Seed, "seed", p.Seed, "seed of the random values")
	var points, workers int
	flags.IntVar(&points, "points", otlp.Points, "OTLP: points per request")
	flags.IntVar(&workers, "workers", 0, fmt.Sprintf("OTLP: maximum number of requests in flight, at most one per connection; 0: %d, or one per connection if that is less", otlp.Workers))
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("arguments: must be flags only (got %q)", flags.Arg(0))
	}
	p.Types = strings.Split(types, ",")

	var ledger any
	var err error
	if p.Network == load.OTLPOverGRPC || p.Network == load.OTLPOverHTTP {
		otlp = otlpProfile(p, flags)
		otlp.Points = points
		if otlp.Workers = min(otlp.Workers, otlp.Connections); workers != 0 {
			otlp.Workers = workers
		}
		ledger, err = load.RunOTLP(ctx, otlp, progress(stderr, "requests"))
	} else {
		ledger, err = load.Run(ctx, p, progress(stderr, "lines"))
	}
	if err != nil {
		return err
	}
	out := json.NewEncoder(stdout)
	out.SetIndent("", "  ")
	return out.Encode(ledger)
}

// otlpProfile returns an OTLP profile with the flags that both kinds of load share. Flags that were not set have the defaults
// of OTLP.
func otlpProfile(p load.Profile, flags *flag.FlagSet) load.OTLPProfile {
	out := load.DefaultOTLPProfile()
	out.Protocol, out.Prefix, out.Series, out.Duration = p.Network, p.Prefix, p.Series, p.Duration
	if p.Network == load.OTLPOverHTTP {
		out.Endpoint = "localhost:4318"
	}
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "endpoint":
			out.Endpoint = p.Endpoint
		case "connections":
			out.Connections = p.Connections
		case "rate":
			out.Rate = p.Rate
		}
	})
	return out
}

// progress writes a line for each report of a long run.
func progress(to io.Writer, what string) func(uint64) {
	return func(n uint64) { fmt.Fprintf(to, "%d %s\n", n, what) }
}
