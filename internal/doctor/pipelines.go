package doctor

import (
	"fmt"
	"slices"
)

// acknowledging are the processors that acknowledge data before they pass it on.
var acknowledging = []string{"batch", "tail_sampling", "interval"}

// regrouping merges the resources of one request. It needs an acknowledging processor in front to merge those of several.
const regrouping = "groupbyattrs"

// earlyAcknowledgement finds processors and queues that acknowledge data before fallbacklog has it.
func earlyAcknowledgement(c *config) []Finding {
	var out []Finding
	reported := map[string]bool{}
	for _, p := range c.pipelines {
		if !uses(p.exporters, "fallbacklog") {
			continue
		}
		for _, before := range c.upstream(p) {
			for _, id := range before.processors {
				where := "service::pipelines::" + before.id + "::processors::" + id
				if reported[where] {
					continue
				}
				reported[where] = true
				switch {
				case isType(id, acknowledging...):
					out = append(out, Finding{
						where, typeOf(id) + " acknowledges data before fallbacklog has it: a crash loses it",
						"remove it, and let fallbacklog's sending_queue with wait_for_result and batch do the batching",
					})
				case isType(id, regrouping):
					out = append(out, Finding{
						where, regrouping + " merges the resources of one request only; behind a batch it merges those of several, but the batch acknowledges data before fallbacklog has it",
						"run it in a gateway behind fallbacklog, or remove it",
					})
				}
			}
		}
	}
	for _, id := range c.ids("exporters", "fallbacklog") {
		s := c.root.sub("exporters").sub(id)
		queue := s.sub("sending_queue")
		if !s.has("sending_queue") || queue.text("enabled", "true") == "false" || queue.isTrue("wait_for_result") {
			continue
		}
		out = append(out, Finding{
			"exporters::" + id + "::sending_queue", "the queue acknowledges data before it is delivered or logged: a crash loses it",
			"set wait_for_result: true",
		})
	}
	return out
}

// memoryLimiter finds pipelines in which a flood can exhaust the memory.
func memoryLimiter(c *config) []Finding {
	var out []Finding
	for _, p := range c.pipelines {
		at := slices.IndexFunc(p.processors, func(id string) bool { return isType(id, "memory_limiter") })
		where := "service::pipelines::" + p.id + "::processors"
		switch {
		case at > 0:
			out = append(out, Finding{where, "memory_limiter is not first: the processors before it process and allocate for data that is then refused", "put memory_limiter first"})
		case at < 0 && c.isIngress(p):
			out = append(out, Finding{where, "no memory_limiter: a flood ends the process instead of being refused", "put memory_limiter first"})
		}
	}
	return out
}

func unusedProcessors(c *config) []Finding {
	var out []Finding
	for _, id := range c.root.sub("processors").keys() {
		used := slices.ContainsFunc(c.pipelines, func(p pipeline) bool { return slices.Contains(p.processors, id) })
		if !used {
			out = append(out, Finding{"processors::" + id, "the processor is in no pipeline and does nothing", "add it to service::pipelines::<pipeline>::processors, or remove it"})
		}
	}
	return out
}

// minBatch and maxBatch are the accepted sizes of a batch in items. Many backends refuse larger ones.
const minBatch, maxBatch = 1, 10_000

func batchSizes(c *config) []Finding {
	var out []Finding
	check := func(where string, s settings, key string, zeroIsNone bool) {
		n := s.number(key, minBatch)
		if zeroIsNone && n == 0 || n >= minBatch && n <= maxBatch {
			return
		}
		out = append(out, Finding{where + "::" + key, fmt.Sprintf("a batch of %d items", n), fmt.Sprintf("choose from %d to %d items", minBatch, maxBatch)})
	}
	for _, id := range c.ids("processors", "batch") {
		s := c.root.sub("processors").sub(id)
		check("processors::"+id, s, "send_batch_size", false)
		check("processors::"+id, s, "send_batch_max_size", true) // 0 means no limit
	}
	for _, id := range c.used("exporters") {
		queue := c.root.sub("exporters").sub(id).sub("sending_queue")
		batch := queue.sub("batch")
		if len(batch) == 0 || queue.text("enabled", "true") == "false" || batch.text("sizer", queue.text("sizer", "items")) != "items" {
			continue
		}
		where := "exporters::" + id + "::sending_queue::batch"
		check(where, batch, "min_size", true)
		check(where, batch, "max_size", true)
	}
	return out
}

// unboundLimits finds limits that a sender evades by inventing names of metrics, services or labels, or headers of requests.
func unboundLimits(c *config) []Finding {
	var out []Finding
	for _, id := range c.ids("processors", "cardinalitylimit") {
		s := c.root.sub("processors").sub(id)
		switch {
		case s.text("mode", "") == "dry_run":
			out = append(out, Finding{"processors::" + id + "::mode", "a dry run bounds nothing: it only counts", "set mode: enforce when the counts are right (docs/limit-cardinality.md)"})
		case !slices.ContainsFunc(s.maps("limits"), boundsEverything) && !c.isBoundElsewhere(id):
			out = append(out, Finding{
				"processors::" + id + "::limits", "no limit bounds all series together: invented names of metrics or services add series without end",
				"add {name: total, key: [], count: streams, max_series: 100000, action: drop}",
			})
		}
	}
	return out
}

// isBoundElsewhere reports whether every pipeline with the processor has another one that bounds all series, in itself or upstream.
func (c *config) isBoundElsewhere(id string) bool {
	bounds := func(other string) bool {
		s := c.root.sub("processors").sub(other)
		return isType(other, "cardinalitylimit") && s.text("mode", "") != "dry_run" && slices.ContainsFunc(s.maps("limits"), boundsEverything)
	}
	return !slices.ContainsFunc(c.pipelines, func(p pipeline) bool {
		return slices.Contains(p.processors, id) && !slices.ContainsFunc(c.upstream(p), func(before pipeline) bool {
			return slices.ContainsFunc(before.processors, bounds)
		})
	})
}

// boundsEverything reports whether a limit bounds the number of all series. One that counts attribute sets does not count the
// names of metrics.
func boundsEverything(limit settings) bool {
	return limit.has("max_series") && len(limit.list("key")) == 0 && len(limit.sub("match")) == 0 &&
		limit.text("count", "attributes") == "streams" && limit.text("action", "overflow") != "tag" && !limit.isTrue("dry_run")
}
