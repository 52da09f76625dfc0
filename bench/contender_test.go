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
	// start runs the contender in this process. When it returns, the socket is bound.
	start func(job) (subject, error)
	large bool // the receive buffer is largeBuffer, otherwise defaultBuffer
}

var (
	metricsudpEqual = contender{name: "metricsudp", start: startMetricsudp}
	statsdEqual     = contender{name: "statsd", start: startStatsd}
	exporterEqual   = contender{name: "statsd_exporter", start: startExporter}
	metricsudpLarge = contender{name: "metricsudp-large", start: startMetricsudp, large: true}
	exporterLarge   = contender{name: "statsd_exporter-large", start: startExporter, large: true}
	socketFloor     = contender{name: "socket-alone", start: startFloor}

	equalBuffers = []contender{metricsudpEqual, statsdEqual, exporterEqual}
	// allBuffers excludes the statsd receiver with a large buffer, as it has no setting for UDP.
	allBuffers    = append(equalBuffers[:3:3], metricsudpLarge, exporterLarge)
	allContenders = append(allBuffers[:5:5], socketFloor)
)

// job has the settings of a contender's process.
type job struct {
	Contender    string
	Network      string // udp or unixgram
	Endpoint     string
	Buffer       int           // required value of SO_RCVBUF of a UDP socket, in bytes
	Interval     time.Duration // between two flushes
	Grace        time.Duration // after the last datagram; later output counts as lost
	ConsumeDelay time.Duration // duration of every call of the consumer
	Series       int           // number of series that are sent
	WarmUp       bool          // send each series once, in a phase of its own before the one that is measured
}

// subject is a contender that runs in this process.
type subject interface {
	// complete reports whether everything that was sent is in the output.
	complete(sent load.Ledger) bool
	// lost produces the last output, if the contender does so on request, and returns the share of sent that is not in the
	// output. It is 0 if the output does not show it.
	lost(sent load.Ledger) (float64, error)
	stop() error
}

// outcome has the measurements of a contender's process.
type outcome struct {
	CPU     time.Duration // user and system, from the beginning of the last phase to the last output
	Lost    float64       // share of what was sent in all phases
	PeakRSS int           // KiB
}

// contend is the main function of a contender's process. In each phase it writes "ready" to stdout, reads the ledger of what was
// sent from stdin, and waits for the output. After the last phase it writes its outcome to stdout.
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
	out, err := measureSubject(s, j)
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

// measureSubject waits for the output of a subject and returns its measurements.
func measureSubject(s subject, j job) (outcome, error) {
	if j.Network == "udp" { // a Unix socket uses the sender's buffer, which is the same for all contenders
		if err := checkReceiveBuffers(j.Buffer); err != nil {
			return outcome{}, err
		}
	}
	var (
		sent   load.Ledger
		before usage
		input  = bufio.NewReader(os.Stdin)
	)
	phases := 1
	if j.WarmUp {
		phases = 2
	}
	for range phases {
		var err error
		if before, err = usageOfSelf(); err != nil {
			return outcome{}, err
		}
		fmt.Fprintln(os.Stdout, "ready")
		if err := addLedger(&sent, input); err != nil {
			return outcome{}, err
		}
		deadline := time.Now().Add(j.Grace)
		for !s.complete(sent) && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
		}
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
		// Only the drops show the loss of gauges and sets.
		Lost:    max(lost, float64(drops)/float64(sent.Datagrams)),
		PeakRSS: after.peakRSS,
	}, nil
}

// addLedger adds the ledger of a phase, a line of input, to what was sent before.
func addLedger(sent *load.Ledger, input *bufio.Reader) error {
	text, err := input.ReadBytes('\n')
	if err != nil {
		return err
	}
	var phase load.Ledger
	if err := json.Unmarshal(text, &phase); err != nil {
		return err
	}
	sent.Datagrams += phase.Datagrams
	sent.Lines += phase.Lines
	for name, before := range sent.Metrics {
		m := phase.Metrics[name]
		m.Type, m.Sum, m.Count = before.Type, m.Sum+before.Sum, m.Count+before.Count
		phase.Metrics[name] = m
	}
	sent.Metrics = phase.Metrics
	return nil
}

// samples returns the number of sent values that the output adds up: the sum of counters and the count of distributions.
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

// lostShare returns the share of sent that is not in the output.
func lostShare(sent, out float64) float64 {
	if sent == 0 {
		return 0
	}
	return 1 - out/sent
}
