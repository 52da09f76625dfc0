package e2e

import (
	"math"
	"strconv"
	"strings"
)

// wire is a simple parser of datagrams, written from the protocol's pages without the receiver's code. It knows what the tests'
// clients send and counts everything else as malformed.
type wire struct {
	ledger    ledger
	datagrams int
	bytes     int
	lines     map[string]int // accepted, by the receiver's names of types
	rejected  int
	packed    int            // lines with several values
	fields    map[string]int // lines that carry a field, by what it begins with
	longest   int            // datagram, bytes
}

func newWire() *wire {
	return &wire{ledger: ledger{}, lines: map[string]int{}, fields: map[string]int{}}
}

var typeNames = map[string]string{
	"c": "counter", "g": "gauge", "ms": "timer", "h": "histogram", "d": "distribution", "s": "set",
}

func (w *wire) read(datagram string) {
	w.datagrams++
	w.bytes += len(datagram)
	w.longest = max(w.longest, len(datagram))
	for text := range strings.SplitSeq(datagram, "\n") {
		if text != "" {
			w.line(text)
		}
	}
}

func (w *wire) line(text string) {
	switch {
	case strings.HasPrefix(text, "_e{"):
		w.lines["event"]++
		return
	case strings.HasPrefix(text, "_sc|"):
		w.lines["service_check"]++
		return
	}
	fields := strings.Split(text, "|")
	name, value, _ := strings.Cut(fields[0], ":")
	if len(fields) < 2 || typeNames[fields[1]] == "" {
		w.rejected++
		return
	}
	kind, rate, seconds, tags := fields[1], 1.0, int64(0), []string(nil)
	for _, field := range fields[2:] {
		mark := field[:1]
		if prefix, _, found := strings.Cut(field, ":"); found && mark != "#" {
			mark = prefix
		}
		w.fields[mark]++
		switch mark {
		case "@":
			rate, _ = strconv.ParseFloat(field[1:], 64)
		case "T":
			seconds, _ = strconv.ParseInt(field[1:], 10, 64)
		case "#":
			for tag := range strings.SplitSeq(field[1:], ",") {
				if tag == "" {
					continue
				}
				tagKey, tagValue, _ := strings.Cut(tag, ":")
				tags = append(tags, strings.ToValidUTF8(tagKey+":"+tagValue, "\uFFFD"))
			}
		}
	}
	key := seriesKey(name, tags...)
	if kind == "s" {
		w.ledger.addMember(key, value)
		w.lines["set"]++
		return
	}
	var values []float64
	for v := range strings.SplitSeq(value, ":") {
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || (kind == "c" && f < 0) {
			w.rejected++ // counters are monotonic
			return
		}
		if kind == "g" && (v[0] == '+' || v[0] == '-') {
			f += w.ledger.stream("g", key).last
		}
		values = append(values, f)
	}
	w.lines[typeNames[kind]]++
	if len(values) > 1 {
		w.packed++
	}
	if seconds == 0 || (kind != "c" && kind != "g") {
		w.ledger.add(kind, key, rate, values...)
		return
	}
	for _, v := range values {
		w.ledger.addTimed(kind, key, seconds, v/rate)
	}
}
