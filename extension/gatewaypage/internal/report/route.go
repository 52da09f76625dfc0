package report

import "github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"

// counted is a route with its totals since the start. Rates come from growth.
type counted struct {
	Route
	in, removed, residual  int64
	knowsIn, knowsResidual bool
}

// counter counts routes. It remembers what a log had when it was first empty.
type counter struct {
	pipelines Pipelines
	// baselines are what logs delivered of an earlier run, by exporter and signal, from when they were first empty.
	baselines map[[2]string]int64
}

func (c *counter) routes(r *Reading) []counted {
	paths := c.pipelines.routes()
	all := make([]counted, 0, len(paths))
	for _, p := range paths {
		all = append(all, c.count(r, p))
	}
	return all
}

func (c *counter) count(r *Reading, p *path) counted {
	n := counted{Route: Route{Signal: p.signal, Exporter: p.exporter, Unit: units[p.signal]}}
	n.Unknown = c.upstream(r, p, &n)
	n.knowsIn = n.Unknown == ""
	var taken int64 // what the exporter accepted
	var why string
	if l := r.log(p.exporter); l != nil {
		taken, why = c.log(l, p, &n)
	} else {
		taken, why = c.plain(r, p, &n)
	}
	if n.Unknown == "" {
		n.Unknown = why
	}
	n.knowsResidual = n.Unknown == ""
	n.residual += n.in - n.removed - taken
	return n
}

// upstream counts what receivers accepted and processors removed, and says why that is not known.
func (c *counter) upstream(r *Reading, p *path, n *counted) (unknown string) {
	if r.Metrics == nil {
		return "self_metrics is not read, so what receivers accepted is not known"
	}
	for _, s := range p.steps {
		for _, id := range s.Receivers {
			if c.pipelines.forwards(id) {
				continue // the pipelines in front of it are steps of their own
			}
			if c.pipelines.Connectors[id] {
				return "its data begins at connector " + id + ", which counts nothing"
			}
			n.in += s.ways * accepted(r, p.signal, id)
		}
	}
	for _, s := range p.steps {
		entered := false
		for _, id := range s.sources {
			entered = entered || accepted(r, p.signal, id) > 0
		}
		for _, id := range s.Processors {
			removed, counts, unknown := c.processor(r, p.signal, id)
			if unknown != "" {
				return unknown
			}
			if !counts && entered {
				return "processor " + id + " does not count what it removes"
			}
			n.removed += s.ways * removed
		}
	}
	return ""
}

// accepted is the number of items of a signal that a receiver accepted.
func accepted(r *Reading, signal, receiver string) int64 {
	n, _ := r.Metrics.Sum("otelcol_receiver_accepted_"+ownNames[signal], "receiver", receiver)
	return int64(n)
}

// processor counts what one processor removed. counts is false if it counted nothing so far.
func (c *counter) processor(r *Reading, signal, id string) (removed int64, counts bool, unknown string) {
	switch typeOf(id) {
	case "memory_limiter", "batch":
		return 0, true, "" // the one returns what it refuses, the other removes nothing
	case "delta_to_cumulative", "deltatocumulative":
		return c.deltas(r, id)
	}
	if c.pipelines.uses(signal, id) > 1 {
		return 0, false, "processor " + id + " is in several pipelines, and counts for all of them together"
	}
	in, counts := sumOfSignal(r, "otelcol_processor_incoming_items", id, signal)
	out, _ := sumOfSignal(r, "otelcol_processor_outgoing_items", id, signal)
	removed = in - out
	for i := range r.Snapshot.States {
		if s := &r.Snapshot.States[i]; s.Component == id && s.Limiter != nil {
			removed -= s.Limiter.Points.Emitted
		}
	}
	return removed, counts, ""
}

// deltas counts what delta_to_cumulative removed: the deltas that it counts with an error. The metric does not name the
// processor, so that there can be only one.
func (c *counter) deltas(r *Reading, id string) (removed int64, counts bool, unknown string) {
	if c.pipelines.ofType("delta_to_cumulative", "deltatocumulative") > 1 {
		return 0, false, "processor " + id + " is not the only one of its type, and all of them count together"
	}
	for _, s := range r.Metrics["otelcol_deltatocumulative_datapoints"] {
		if s.Labels["error"] != "" {
			removed += int64(s.Value)
		}
	}
	return removed, true, ""
}

func sumOfSignal(r *Reading, family, processor, signal string) (sum int64, ok bool) {
	for _, s := range r.Metrics[family] {
		if s.Labels["processor"] == processor && s.Labels["otel_signal"] == signal {
			sum, ok = sum+int64(s.Value), true
		}
	}
	return sum, ok
}

// log counts a fallbacklog exporter.
func (c *counter) log(l *gatewaystate.Log, p *path, n *counted) (taken int64, unknown string) {
	for i := range l.Signals {
		s := &l.Signals[i]
		if s.Signal != p.signal {
			continue
		}
		items := &s.Items
		n.Sent.Items = items.DeliveredDirect + items.DeliveredReplayed
		n.Aside.Items, n.Returned.Items, n.Lost.Items = items.DeadLettered, items.Rejected, items.Dropped+items.Expired
		waiting := items.Waiting()
		if s.FoundBytes > 0 {
			key := [2]string{p.exporter, p.signal}
			baseline, drained := c.baselines[key]
			if !drained && s.UnreadBytes > 0 {
				n.Waiting.Items = max(0, waiting)
				return items.Received - items.Rejected, "the log still has records of an earlier run, which were not counted"
			}
			if !drained {
				baseline = waiting
				c.baselines[key] = baseline
			}
			waiting -= baseline
		}
		if s.UnreadBytes == 0 {
			n.residual += waiting // nothing waits, so all must have gone somewhere
		} else {
			n.Waiting.Items = waiting
		}
		return items.Received - items.Rejected, ""
	}
	return 0, "the exporter has not started"
}

// plain counts an exporter that only has the Collector's metrics.
func (c *counter) plain(r *Reading, p *path, n *counted) (taken int64, unknown string) {
	sum := func(what string) int64 {
		v, _ := r.Metrics.Sum("otelcol_exporter_"+what+"_"+ownNames[p.signal], "exporter", p.exporter)
		return int64(v)
	}
	n.Sent.Items, n.Lost.Items, n.Returned.Items = sum("sent"), sum("send_failed"), sum("enqueue_failed")
	if _, counts := r.Metrics.Sum("otelcol_exporter_sent_"+ownNames[p.signal], "exporter", p.exporter); !counts && n.in > 0 {
		unknown = "exporter " + p.exporter + " does not count what it sends"
	}
	return n.Sent.Items + n.Lost.Items, unknown
}
