package cardinalitylimit

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A limit with a match applies to no other metrics.
func TestLimitsMatch(t *testing.T) {
	r := newRig(t, func(c *Config) {
		l := limitOf(1, "drop", "metric.name")
		l.Match = map[string]any{"metrics": []any{"a.*"}, "resource.service.name": "orders"}
		c.Limits = []LimitConfig{l}
	})
	for _, c := range []struct {
		service, metric string
		passed          int
	}{{"orders", "a1", 1}, {"orders", "b1", 3}, {"stock", "a2", 3}} {
		b := newBatch(c.service)
		points := b.sum(c.metric, delta, true)
		for i := range 3 {
			put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
		}
		r.send(b.md)
		assert.Len(t, observe(r.sink.drain()...), c.passed, c)
	}
}

// A limit on values counts the values of the labels that it names, or of all labels except some.
func TestLabelsOfALimitOnValues(t *testing.T) {
	for name, edit := range map[string]func(*LimitConfig){
		"labels": func(l *LimitConfig) { l.Labels = []string{"err.*"} },
		"except": func(l *LimitConfig) { l.Except = []string{"route"} },
	} {
		r := newRig(t, func(c *Config) {
			l := defaultLimit
			l.Name, l.Key, l.MaxValues, l.Action = "label", []string{"metric.name"}, 2, "strip"
			edit(&l)
			c.Limits = []LimitConfig{l}
		})
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		for i := range 10 {
			put(points, 1, r.clock.Now(), r.clock.Now(), "route", fmt.Sprint(i), "error", fmt.Sprint(i%5))
		}
		r.send(b.md)
		routes := map[any]bool{}
		for _, o := range append(observe(r.sink.drain()...), r.flushed()...) {
			routes[o.attributes["route"]] = true
		}
		assert.Len(t, routes, 10, name)
		assert.EqualValues(t, 6, r.counter("points", "action", "strip"), name)
		assert.EqualValues(t, 2, r.counter("series"), name)
	}
}

// An empty key is one key for everything.
func TestLimitOnAll(t *testing.T) {
	r := newRig(t, func(c *Config) {
		l := limitOf(10, "drop")
		l.Key, l.Count = []string{}, countStreams
		c.Limits = []LimitConfig{l}
	})
	for service := range 50 {
		b := newBatch(fmt.Sprint(service))
		put(b.sum(fmt.Sprint("metric", service), delta, true), 1, r.clock.Now(), r.clock.Now())
		r.send(b.md)
	}
	assert.Len(t, observe(r.sink.drain()...), 10)
	assert.EqualValues(t, 1, r.counter("keys", "limit", "l"))
}
