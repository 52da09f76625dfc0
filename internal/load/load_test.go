package load

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received counts datagrams by parsing them, independently of the generator's own code.
type received struct {
	bytes, lines uint64
	metrics      map[string]MetricTotal
	series       map[string]map[string]bool
	last         map[string]float64
	members      map[string]map[string]bool
}

func (h *received) read(t *testing.T, datagram string) {
	h.bytes += uint64(len(datagram))
	for text := range strings.SplitSeq(datagram, "\n") {
		h.lines++
		fields := strings.Split(text, "|")
		name, values, _ := strings.Cut(fields[0], ":")
		m := h.metrics[name]
		m.Type = fields[1]
		m.Lines++
		rate, tags := 1.0, ""
		for _, f := range fields[2:] {
			switch f[0] {
			case '@':
				var err error
				rate, err = strconv.ParseFloat(f[1:], 64)
				require.NoError(t, err)
			case '#':
				tags = f[1:]
			}
		}
		if h.series[name] == nil {
			h.series[name] = map[string]bool{}
		}
		h.series[name][tags] = true
		m.Series = len(h.series[name])
		key := name + "|" + tags
		for v := range strings.SplitSeq(values, ":") {
			m.Count += 1 / rate
			if m.Type == "s" {
				if h.members[key] == nil {
					h.members[key] = map[string]bool{}
				}
				if !h.members[key][v] {
					m.Unique++
				}
				h.members[key][v] = true
				continue
			}
			f, err := strconv.ParseFloat(v, 64)
			require.NoError(t, err)
			m.Sum += f / rate
			if m.Type == "g" {
				m.Last += f - h.last[key]
				h.last[key] = f
			}
		}
		h.metrics[name] = m
	}
}

func listen(t *testing.T) *net.UDPConn {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func listenUnix(t *testing.T) *net.UnixConn {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// The cases use a Unix socket, which loses nothing, except one over UDP that fits in a socket's buffer of 208 KiB.
func TestLedgerEqualsTheWire(t *testing.T) {
	for name, change := range map[string]func(*Profile){
		"all types":        func(p *Profile) { p.Types = []string{"c", "g", "ms", "h", "d", "s"} },
		"packed values":    func(p *Profile) { p.Values = 5 },
		"sample rate":      func(p *Profile) { p.SampleRate = 0.25; p.Types = []string{"c", "ms"} },
		"one line":         func(p *Profile) { p.LinesPerDatagram = 1; p.Lines = 2000 },
		"shuffled":         func(p *Profile) { p.Shuffled = true; p.Types = []string{"c", "g", "s"} },
		"four connections": func(p *Profile) { p.Connections = 4 },
		"more than a ring": func(p *Profile) { p.Series = 30; p.Lines = 12_345 },
		"UDP":              func(p *Profile) { p.Network = "udp"; p.Lines = 500 },
	} {
		t.Run(name, func(t *testing.T) {
			p := DefaultProfile()
			p.Network, p.Duration, p.Lines, p.Rate = "unixgram", 0, 5_000, 20_000
			change(&p)
			var conn net.Conn = listenUnix(t)
			if p.Network == "udp" {
				conn = listen(t)
			}
			p.Endpoint = conn.LocalAddr().String()

			done := make(chan Ledger, 1)
			go func() {
				l, err := Run(t.Context(), p, nil)
				assert.NoError(t, err)
				done <- l
			}()
			// The reader runs until it has as many datagrams as the ledger.
			var datagrams []string
			h := received{metrics: map[string]MetricTotal{}, series: map[string]map[string]bool{}, last: map[string]float64{}, members: map[string]map[string]bool{}}
			var ledger *Ledger
			buffer := make([]byte, 65536)
			for ledger == nil || uint64(len(datagrams)) < ledger.Datagrams {
				if ledger == nil {
					select {
					case l := <-done:
						ledger = &l
						continue
					default:
					}
				}
				require.NoError(t, conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
				n, err := conn.Read(buffer)
				if err != nil {
					require.Nil(t, ledger, "a datagram of the ledger did not arrive")
					continue
				}
				datagrams = append(datagrams, string(buffer[:n]))
			}
			for _, d := range datagrams {
				h.read(t, d)
			}
			assert.Equal(t, h.bytes, ledger.Bytes)
			assert.Equal(t, h.lines, ledger.Lines)
			assert.Equal(t, h.metrics, ledger.Metrics)
			assert.Zero(t, ledger.SendErrors)
			assert.Equal(t, p.Lines, ledger.Lines)
		})
	}
}

// A shuffled ring has each series once in each pass, in an order that differs from pass to pass.
func TestShuffledRing(t *testing.T) {
	p := DefaultProfile()
	p.Series, p.Shuffled = 3000, true
	r, err := newRing(p, 0)
	require.NoError(t, err)
	var order []int
	for _, d := range r.datagrams {
		for _, l := range d.lines {
			order = append(order, l.series)
		}
	}
	require.Len(t, order, p.Series)
	assert.False(t, slices.IsSorted(order))
	slices.Sort(order)
	for i, s := range order {
		require.Equal(t, i, s)
	}
}

// Progress is a count of what has been sent, and comes while it is sent. The clock is virtual.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Uint64
		var seen []uint64
		stop := report(func(n uint64) { seen = append(seen, n) }, count.Load)
		for range 2 {
			count.Add(5)
			time.Sleep(progressEvery + time.Second)
		}
		stop()
		assert.Equal(t, []uint64{5, 10}, seen)
		report(nil, count.Load)()
	})
}

func TestRunWithoutTagsNamesTheSeries(t *testing.T) {
	p := DefaultProfile()
	p.Tags, p.Series, p.Types = 0, 10, []string{"c"}
	r, err := newRing(p, 0)
	require.NoError(t, err)
	names := map[string]bool{}
	for _, d := range r.datagrams {
		for text := range strings.SplitSeq(string(d.payload), "\n") {
			name, _, _ := strings.Cut(text, ":")
			names[name] = true
			assert.NotContains(t, text, "#")
		}
	}
	assert.Len(t, names, 10)
}

func TestRunCountsRefusedSends(t *testing.T) {
	conn := listen(t)
	p := DefaultProfile()
	p.Endpoint = conn.LocalAddr().String()
	require.NoError(t, conn.Close()) // without a listener the kernel answers every datagram with an ICMP error
	p.Duration, p.Lines, p.Rate = 10*time.Second, 2000, 0
	l, err := Run(t.Context(), p, nil)
	require.NoError(t, err)
	assert.Positive(t, l.SendErrors)
}

func TestRunStopsWithItsContext(t *testing.T) {
	conn := listen(t)
	p := DefaultProfile()
	p.Endpoint = conn.LocalAddr().String()
	p.Duration, p.Rate = time.Hour, 1000
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = conn.Read(make([]byte, 65536)) // the end of the test closes the socket, if nothing arrives
		cancel()
	}()
	ledger, err := Run(ctx, p, nil)
	require.NoError(t, err)
	assert.Positive(t, ledger.Lines)
}

// A full Unix socket, which nobody reads, does not keep the sender from ending. Afterwards the socket contains exactly
// the datagrams of the ledger.
func TestFullUnixSocketDoesNotBlockTheEnd(t *testing.T) {
	conn := listenUnix(t)
	p := DefaultProfile()
	p.Network, p.Endpoint, p.Rate, p.Duration = "unixgram", conn.LocalAddr().String(), 0, 50*time.Millisecond
	ledger, err := Run(t.Context(), p, nil)
	require.NoError(t, err)
	assert.Zero(t, ledger.SendErrors)

	h := received{metrics: map[string]MetricTotal{}, series: map[string]map[string]bool{}, last: map[string]float64{}}
	buffer := make([]byte, MaxPayloadBytes)
	for range ledger.Datagrams {
		n, err := conn.Read(buffer)
		require.NoError(t, err)
		h.read(t, string(buffer[:n]))
	}
	assert.Equal(t, h.lines, ledger.Lines)
	assert.Equal(t, h.metrics, ledger.Metrics)
	require.NoError(t, conn.SetReadDeadline(time.Now()))
	_, err = conn.Read(buffer)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the socket has more datagrams than the ledger")
}

func TestProfileValidate(t *testing.T) {
	require.NoError(t, DefaultProfile().Validate())
	for want, change := range map[string]func(*Profile){
		`network: must be one of udp, unixgram (got "tcp")`:             func(p *Profile) { p.Network = "tcp" },
		`endpoint: must be host:port (got "")`:                          func(p *Profile) { p.Endpoint = "" },
		`types: must be of c, g, ms, h, d, s (got "x")`:                 func(p *Profile) { p.Types = []string{"x"} },
		`types: must name at least one type (got none)`:                 func(p *Profile) { p.Types = nil },
		`types: must name each type once (got "c,c")`:                   func(p *Profile) { p.Types = []string{"c", "c"} },
		`series: must be at least connections x types = 3 (got 2)`:      func(p *Profile) { p.Series = 2 },
		`connections: must be in 1..1024 (got 0)`:                       func(p *Profile) { p.Connections = 0 },
		`tags: must be in 0..64 (got 65)`:                               func(p *Profile) { p.Tags = 65 },
		`values: must be in 1..1000 (got 0)`:                            func(p *Profile) { p.Values = 0 },
		`sample-rate: must be in (0, 1] (got 0)`:                        func(p *Profile) { p.SampleRate = 0 },
		`payload-bytes: must be in 1..65507 (got 70000)`:                func(p *Profile) { p.PayloadBytes = 70000 },
		`lines-per-datagram: must not be negative (got -1)`:             func(p *Profile) { p.LinesPerDatagram = -1 },
		`rate: must not be negative (got -1)`:                           func(p *Profile) { p.Rate = -1 },
		`duration: must not be negative (got -1s)`:                      func(p *Profile) { p.Duration = -time.Second },
		`duration: must be positive if lines is 0 (got 0s)`:             func(p *Profile) { p.Duration = 0 },
		`prefix: must be a metric name without any of :|#@ (got "a|b")`: func(p *Profile) { p.Prefix = "a|b" },
	} {
		p := DefaultProfile()
		change(&p)
		require.EqualError(t, p.Validate(), want)
	}
	p := DefaultProfile()
	p.PayloadBytes = 10
	_, err := Run(t.Context(), p, nil)
	require.ErrorContains(t, err, "payload-bytes: must be at least 69, the length of a line")
}
