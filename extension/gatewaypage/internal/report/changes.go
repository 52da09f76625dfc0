package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// The bounds of what is remembered: about 100 KB.
const (
	maxChanges   = 100
	maxOffenders = 512
)

// changes notices what happens between two readings. Not safe for concurrent use.
type changes struct {
	list []Change // the oldest first
	// breakers, refusals and clusters are by component, as they were last.
	breakers map[string]string
	refusals map[string]string
	clusters map[string]string
	first    map[offender]*sighting
	losing   time.Time // since when; zero: nothing is lost
	metrics  string    // why the gateway's own metrics are not read
}

type offender struct{ component, limit, metric, key string }

type sighting struct{ first, last time.Time }

func newChanges() *changes {
	return &changes{breakers: map[string]string{}, refusals: map[string]string{}, clusters: map[string]string{}, first: map[offender]*sighting{}}
}

func (c *changes) add(at time.Time, format string, args ...any) {
	c.list = append(c.list, Change{at, fmt.Sprintf(format, args...)})
	if len(c.list) > maxChanges {
		c.list = slices.Delete(c.list, 0, len(c.list)-maxChanges)
	}
}

// newest returns the list, the newest first.
func (c *changes) newest() []Change {
	all := slices.Clone(c.list)
	slices.Reverse(all)
	return all
}

// log notes changes of an exporter's breaker, and whether it refuses data.
func (c *changes) log(at time.Time, id string, l *gatewaystate.Log) {
	if was, known := c.breakers[id]; known && was != l.Breaker {
		c.add(at, "%s: breaker %s, was %s", id, l.Breaker, was)
	} else if !known && l.Breaker != "closed" {
		c.add(at, "%s: breaker %s", id, l.Breaker)
	}
	c.breakers[id] = l.Breaker
	if was := c.refusals[id]; was != l.Refuses {
		if l.Refuses == "" {
			c.add(at, "%s: accepts data again", id)
		} else {
			c.add(at, "%s: refuses data: %s", id, clean(l.Refuses))
		}
	}
	c.refusals[id] = l.Refuses
}

// offends notes an offender and returns when it was first seen. One that was quiet for a window begins anew.
func (c *changes) offends(at time.Time, id string, window time.Duration, o *gatewaystate.Offender) time.Time {
	k := offender{id, o.Limit, o.Metric, o.Key}
	s, known := c.first[k]
	if known && at.Sub(s.last) <= window {
		s.last = at
		return s.first
	}
	if len(c.first) >= maxOffenders {
		c.forget()
	}
	c.first[k] = &sighting{at, at}
	verb := "is over limit"
	if o.DryRun {
		verb = "would be over limit"
	}
	c.add(at, "%s %s %s", subject(clean(o.Metric), clean(o.Key)), verb, o.Limit)
	return at
}

// forget makes room by the offender that was seen longest ago.
func (c *changes) forget() {
	var oldest offender
	var at time.Time
	for k, s := range c.first {
		if at.IsZero() || s.last.Before(at) {
			oldest, at = k, s.last
		}
	}
	delete(c.first, oldest)
}

// loses notes whether data is lost now, and returns since when.
func (c *changes) loses(at time.Time, losing bool) time.Time {
	switch {
	case losing && c.losing.IsZero():
		c.losing = at
		c.add(at, "data is being lost")
	case !losing && !c.losing.IsZero():
		c.losing = time.Time{}
		c.add(at, "nothing lost for a minute")
	}
	return c.losing
}

// reads notes whether the gateway's own metrics can be read.
func (c *changes) reads(at time.Time, why string) {
	switch {
	case why != "" && c.metrics == "":
		c.add(at, "self_metrics cannot be read: %s", clean(why))
	case why == "" && c.metrics != "":
		c.add(at, "self_metrics can be read again")
	}
	c.metrics = why
}
