package load

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// minRingLines is the least number of lines of a ring, so that a connection with few series also sends varied values.
const minRingLines = 4096

// line is one rendered line with its contributions to the ledger.
type line struct {
	series int
	metric int // index into the profile's types
	end    int // offset of its end in the datagram's payload
	count  float64
	sum    float64
	last   float64 // gauges
	member uint16  // sets
}

// datagram is one payload with its lines.
type datagram struct {
	payload []byte
	lines   []line
}

// prefix returns a datagram with the first n lines of d.
func (d datagram) prefix(n int) datagram {
	return datagram{payload: d.payload[:d.lines[n-1].end], lines: d.lines[:n]}
}

// ring has the datagrams that one connection sends repeatedly.
type ring struct {
	datagrams []datagram
}

// newRing renders the datagrams of connection c of p. They contain every series of the connection equally often, with
// random values and a shuffled order from p.Seed. It returns an error if a line exceeds p.PayloadBytes.
func newRing(p Profile, c int) (*ring, error) {
	random := rand.New(rand.NewPCG(p.Seed, uint64(c)))
	var series []int
	for s := c; s < p.Series; s += p.Connections {
		series = append(series, s)
	}
	passes := max(1, minRingLines/len(series))

	r := &ring{}
	var (
		current datagram
		text    []byte
	)
	for range passes {
		if p.Shuffled {
			random.Shuffle(len(series), func(i, j int) { series[i], series[j] = series[j], series[i] })
		}
		for _, s := range series {
			var l line
			text, l = render(text[:0], p, s, random)
			if len(text) > p.PayloadBytes {
				return nil, fmt.Errorf("payload-bytes: must be at least %d, the length of a line (got %d)", len(text), p.PayloadBytes)
			}
			full := len(current.payload)+1+len(text) > p.PayloadBytes ||
				p.LinesPerDatagram > 0 && len(current.lines) == p.LinesPerDatagram
			if len(current.lines) > 0 && full {
				r.datagrams = append(r.datagrams, current)
				current = datagram{}
			}
			if len(current.lines) > 0 {
				current.payload = append(current.payload, '\n')
			}
			current.payload = append(current.payload, text...)
			l.end = len(current.payload)
			current.lines = append(current.lines, l)
		}
	}
	r.datagrams = append(r.datagrams, current)
	return r, nil
}

// render appends a line of series s with random values to text.
func render(text []byte, p Profile, s int, random *rand.Rand) ([]byte, line) {
	l := line{series: s, metric: (s / p.Connections) % len(p.Types)}
	kind := p.Types[l.metric]
	text = append(text, p.Prefix...)
	text = append(text, '.')
	text = append(text, MetricNames[kind]...)
	if p.Tags == 0 {
		text = append(text, '.')
		text = strconv.AppendInt(text, int64(s), 10)
	}

	sampled := p.SampleRate < 1 && kind != "g" && kind != "s"
	weight := 1.0
	if sampled {
		weight = 1 / p.SampleRate
	}
	values := p.Values
	if kind == "s" {
		values = 1 // a member may contain the separator, so a line of a set has one value
	}
	for range values {
		text = append(text, ':')
		var v float64
		switch kind {
		case "s":
			l.member = uint16(random.IntN(1000))
			text = append(text, 'u')
			text = strconv.AppendUint(text, uint64(l.member), 10)
		case "c":
			v = float64(1 + random.IntN(10))
			text = strconv.AppendFloat(text, v, 'f', -1, 64)
		default:
			v = float64(1+random.IntN(2000)) / 4
			text = strconv.AppendFloat(text, v, 'f', -1, 64)
		}
		l.count += weight
		l.sum += v * weight
		l.last = v
	}
	text = append(text, '|')
	text = append(text, kind...)
	if sampled {
		text = append(text, "|@"...)
		text = strconv.AppendFloat(text, p.SampleRate, 'g', -1, 64)
	}
	for t := range p.Tags {
		if t == 0 {
			text = append(text, "|#series:s"...)
			text = strconv.AppendInt(text, int64(s), 10)
			continue
		}
		text = append(text, ",label"...)
		text = strconv.AppendInt(text, int64(t), 10)
		text = append(text, ":value"...)
		text = strconv.AppendInt(text, int64(s%(10*t)), 10)
	}
	return text, l
}
