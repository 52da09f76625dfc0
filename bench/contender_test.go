//go:build linux

package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// contender is a program with its settings.
type contender struct {
	name string
	// start makes this process the contender. Its socket is bound on return.
	start func(job) (subject, error)
	large bool // receive buffer: largeBuffer, else what the system gives by default
}

var (
	metricsudpEqual = contender{name: "metricsudp", start: startMetricsudp}
	statsdEqual     = contender{name: "statsd", start: startStatsd}
	exporterEqual   = contender{name: "statsd_exporter", start: startExporter}
	metricsudpLarge = contender{name: "metricsudp-large", start: startMetricsudp, large: true}
	exporterLarge   = contender{name: "statsd_exporter-large", start: startExporter, large: true}
	socketFloor     = contender{name: "socket-alone", start: startFloor}

	equalBuffers = []contender{metricsudpEqual, statsdEqual, exporterEqual}
	// The statsd receiver has no setting for the receive buffer of UDP.
	allBuffers    = append(equalBuffers[:3:3], metricsudpLarge, exporterLarge)
	allContenders = append(allBuffers[:5:5], socketFloor)
)

// job is what a contender's process is told.
type job struct {
	Contender    string
	Network      string // udp or unixgram
	Endpoint     string
	Buffer       int           // bytes that SO_RCVBUF of a UDP socket is to say
	Interval     time.Duration // between two flushes
	Grace        time.Duration // after the last datagram; what has not come out then is lost
	ConsumeDelay time.Duration // what every call of the consumer takes
	Series       int           // to make room for
}

// subject is a contender that runs in this process.
type subject interface {
	// complete tells whether all that was sent has come out.
	complete(sent load.Ledger) bool
	// lost makes the last output, where it is asked for, and gives the share of sent that is not in
	// the output: 0 where the output cannot tell.
	lost(sent load.Ledger) (float64, error)
	stop() error
}

// outcome is what a contender's process says of itself.
type outcome struct {
	CPU     time.Duration // user and system, from the bound socket to the last output
	Lost    float64       // share of what was sent
	PeakRSS int           // KiB
}

// contend is the main of a contender's process. It says "ready" on stdout, is told on stdin what was
// sent, and says its outcome.
func contend(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	c, err := contenderOf(j.Contender)
	if err != nil {
		return err
	}
	s, err := c.start(j)
	if err != nil {
		return err
	}
	out, err := attend(s, j)
	return errors.Join(err, s.stop(), json.NewEncoder(os.Stdout).Encode(out))
}

func contenderOf(name string) (contender, error) {
	for _, c := range allContenders {
		if c.name == name {
			return c, nil
		}
	}
	return contender{}, fmt.Errorf("no contender %q", name)
}

func attend(s subject, j job) (outcome, error) {
	if j.Network == "udp" { // a Unix socket is bounded by the sender's buffer, which is the same for all
		if err := checkReceiveBuffers(j.Buffer); err != nil {
			return outcome{}, err
		}
	}
	before, err := usageOfSelf()
	if err != nil {
		return outcome{}, err
	}
	fmt.Fprintln(os.Stdout, "ready")
	text, err := bufio.NewReader(os.Stdin).ReadBytes('\n')
	if err != nil {
		return outcome{}, err
	}
	var sent load.Ledger
	if err := json.Unmarshal(text, &sent); err != nil {
		return outcome{}, err
	}
	deadline := time.Now().Add(j.Grace)
	for !s.complete(sent) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	lost, err := s.lost(sent)
	if err != nil {
		return outcome{}, err
	}
	after, err := usageOfSelf()
	if err != nil {
		return outcome{}, err
	}
	var drops uint64
	if j.Network == "udp" { // a Unix socket drops nothing
		if drops, err = kernelDrops(j.Endpoint); err != nil {
			return outcome{}, err
		}
	}
	return outcome{
		CPU: after.cpu - before.cpu,
		// Gauges and sets are only in the second.
		Lost:    max(lost, float64(drops)/float64(sent.Datagrams)),
		PeakRSS: after.peakRSS,
	}, nil
}

// samples is how many values were sent that the output adds up: what counters sum up to, and the
// count of distributions.
func samples(sent load.Ledger) (n float64) {
	for _, m := range sent.Metrics {
		switch m.Type {
		case "c":
			n += m.Sum
		case "ms", "h", "d":
			n += m.Count
		}
	}
	return n
}

// share of sent that did not come out.
func share(sent, out float64) float64 {
	if sent == 0 {
		return 0
	}
	return 1 - out/sent
}
