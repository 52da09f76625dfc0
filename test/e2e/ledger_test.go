package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ledger contains the metrics that passed one place, by series: the name and the sorted tags. Each place has its own code: a
// client's calls, the wire, the OTLP backend. All values in the tests are multiples of 1/4, so sums are exact in any order.
type ledger map[string]*stream

// stream is the content of one series. Its kind determines which fields count.
type stream struct {
	kind   string  // "c", "g", "s", or "h" for every kind of distribution
	count  float64 // distributions: values, each weighted by 1/rate
	sum    float64 // counters and distributions: of value/rate
	last   float64 // gauges
	most   float64 // gauges: the greatest value, which of a set's is the most members of an interval
	timed  []timed // points that carry a time of their own
	unique map[string]bool
}

type timed struct {
	seconds int64
	value   float64
}

// seriesKey is the identity of a series in a ledger. Tags are key:value.
func seriesKey(name string, tags ...string) string {
	tags = slices.Clone(tags)
	slices.Sort(tags)
	return name + "{" + strings.Join(tags, ",") + "}"
}

func (l ledger) stream(kind, key string) *stream {
	s := l[key]
	if s == nil {
		s = &stream{kind: kind, unique: map[string]bool{}}
		l[key] = s
	}
	return s
}

// add adds values under their StatsD type.
func (l ledger) add(kind, key string, rate float64, values ...float64) {
	switch kind {
	case "ms", "d":
		kind = "h"
	}
	s := l.stream(kind, key)
	for _, v := range values {
		switch kind {
		case "g":
			s.last, s.most = v, max(s.most, v)
		case "h":
			s.count += 1 / rate
			s.sum += v / rate
		default:
			s.sum += v / rate
		}
	}
}

func (l ledger) addMember(key, member string) { l.stream("s", key).unique[member] = true }

func (l ledger) addTimed(kind, key string, seconds int64, value float64) {
	s := l.stream(kind, key)
	s.timed = append(s.timed, timed{seconds, value})
	slices.SortFunc(s.timed, func(a, b timed) int {
		return cmp.Or(cmp.Compare(a.seconds, b.seconds), cmp.Compare(a.value, b.value))
	})
}

// text returns a stream in a form that can be compared. If the members of a set came in several intervals, their number cannot
// be compared. exactSets is true if there was one interval.
func (s *stream) text(exactSets bool) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	var b strings.Builder
	b.WriteString(s.kind)
	switch s.kind {
	case "g":
		b.WriteString(" last " + number(s.last))
	case "h":
		b.WriteString(" count " + number(s.count) + " sum " + number(s.sum))
	case "s":
		if exactSets {
			b.WriteString(" members " + number(max(s.most, float64(len(s.unique)))))
		}
	default:
		b.WriteString(" sum " + number(s.sum))
	}
	for _, p := range s.timed {
		b.WriteString(" " + number(p.value) + "@" + strconv.FormatInt(p.seconds, 10))
	}
	return b.String()
}

// differences returns the series of the ledger that the other ledger lacks, or has with another content.
func (l ledger) differences(other ledger, exactSets bool) (found []string) {
	for key, s := range l {
		got := "absent"
		if o := other[key]; o != nil {
			compared := *o
			if s.kind == "s" {
				compared.kind = "s" // the backend has a gauge
			}
			got = compared.text(exactSets)
		}
		if want := s.text(exactSets); got != want {
			found = append(found, fmt.Sprintf("%s: want %s, is %s", key, want, got))
		}
	}
	slices.Sort(found)
	return found
}
