package report

import (
	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/selfmetrics"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// Reading is what is known at one time.
type Reading struct {
	Snapshot *gatewaystate.Snapshot
	// Metrics are the gateway's own, nil if they are not read. MetricsErr is why they could not be read.
	Metrics    selfmetrics.Metrics
	MetricsErr error
}

// log returns the state of a fallbacklog exporter, nil if there is no such exporter.
func (r *Reading) log(id string) *gatewaystate.Log {
	for i := range r.Snapshot.States {
		if s := &r.Snapshot.States[i]; s.Component == id && s.Log != nil {
			return s.Log
		}
	}
	return nil
}

// ledger lists what became of everything, by component.
type ledger struct{ lines []Line }

func (l *ledger) add(signal, component, what string, kind Kind, unit string, items int64) {
	l.lines = append(l.lines, Line{Signal: signal, Component: clean(component), What: what, Kind: kind, Unit: unit, Items: items})
}

// newLedger reads the components and the gateway's own metrics.
func newLedger(r *Reading) []Line {
	var l ledger
	for i := range r.Snapshot.States {
		s := &r.Snapshot.States[i]
		switch {
		case s.UDP != nil:
			l.udp(s.Component, s.UDP)
		case s.Limiter != nil:
			l.limiter(s.Component, s.Limiter)
		case s.Buckets != nil:
			l.add("metrics", s.Component, "invalid histogram points dropped", Invalid, "points", s.Buckets.Dropped)
		case s.Log != nil:
			for k := range s.Log.Signals {
				l.log(s.Component, &s.Log.Signals[k])
			}
		}
	}
	l.deltas(r)
	for signal, unit := range units {
		l.receivers(r, signal, unit)
		l.exporters(r, signal, unit)
	}
	return l.lines
}

func (l *ledger) udp(id string, u *gatewaystate.UDP) {
	l.add("metrics", id, "datagrams received", In, "datagrams", u.Datagrams)
	l.add("metrics", id, "datagrams dropped by the kernel", Lost, "datagrams", u.KernelDrops)
	l.add("metrics", id, "datagrams of denied sources", Purpose, "datagrams", u.Denied)
	l.add("metrics", id, "lines accepted", Detail, "lines", u.Lines)
	rejected := int64(0)
	for _, c := range u.Rejected {
		rejected += c.Items
	}
	l.add("metrics", id, "lines that cannot be read", Invalid, "lines", rejected)
	l.add("metrics", id, "values folded, as max_series is reached", Purpose, "values", u.Overflowed)
	l.add("metrics", id, "points with a timestamp that buffer_size had no room for", Lost, "points", u.Dropped)
}

func (l *ledger) limiter(id string, m *gatewaystate.Limiter) {
	p := &m.Points
	l.add("metrics", id, "points folded without a label", Purpose, "points", p.Stripped)
	l.add("metrics", id, "points folded into an overflow series", Purpose, "points", p.Overflowed)
	l.add("metrics", id, "points dropped by action drop", Purpose, "points", p.Dropped)
	l.add("metrics", id, "points that a dry run would fold or drop", Detail, "points", p.WouldBe)
	l.add("metrics", id, "points of folded series sent on", Detail, "points", p.Emitted)
	for _, d := range m.Dropped {
		kind := Invalid
		switch d.Reason {
		case "gauge":
			kind = Detail // it is among the points dropped
		case "refused", "undelivered":
			kind = Lost
		}
		l.add("metrics", id, "points not folded: "+d.Reason, kind, "points", d.Items)
	}
}

// deltas adds the points that delta_to_cumulative dropped, by reason. Its metric does not name the processor.
func (l *ledger) deltas(r *Reading) {
	const family = "otelcol_deltatocumulative_datapoints"
	for _, reason := range r.Metrics.Values(family, "error") {
		kind := Invalid // an older start, or out of order
		if reason == "limit" {
			kind = Purpose
		}
		n, _ := r.Metrics.Sum(family, "error", reason)
		l.add("metrics", "delta_to_cumulative", "delta points dropped: "+clean(reason), kind, "points", int64(n))
	}
}

func (l *ledger) log(id string, s *gatewaystate.LogSignal) {
	unit := units[s.Signal]
	l.add(s.Signal, id, unit+" delivered at once", Sent, unit, s.Items.DeliveredDirect)
	l.add(s.Signal, id, unit+" delivered from the log", Sent, unit, s.Items.DeliveredReplayed)
	l.add(s.Signal, id, unit+" written to the log", Detail, unit, s.Items.Logged)
	l.add(s.Signal, id, unit+" in the dead letter", Aside, unit, s.Items.DeadLettered)
	l.add(s.Signal, id, unit+" returned to the sender", Returned, unit, s.Items.Rejected)
	l.add(s.Signal, id, unit+" dropped: the log was full, or the backend rejected them", Lost, unit, s.Items.Dropped)
	l.add(s.Signal, id, unit+" expired in the log", Lost, unit, s.Items.Expired)
}

// receivers adds what receivers accepted and refused.
func (l *ledger) receivers(r *Reading, signal, unit string) {
	family := "otelcol_receiver_accepted_" + ownNames[signal]
	refused := "otelcol_receiver_refused_" + ownNames[signal]
	failed := "otelcol_receiver_failed_" + ownNames[signal]
	for _, id := range r.Metrics.Values(family, "receiver") {
		n, _ := r.Metrics.Sum(family, "receiver", id)
		l.add(signal, id, unit+" accepted", In, unit, int64(n))
		n, _ = r.Metrics.Sum(refused, "receiver", id)
		l.add(signal, id, unit+" refused by a pipeline", Returned, unit, int64(n))
		n, _ = r.Metrics.Sum(failed, "receiver", id)
		l.add(signal, id, unit+" that the receiver failed on", Returned, unit, int64(n))
	}
	family = memoryRefused(signal)
	for _, id := range r.Metrics.Values(family, "processor") {
		n, _ := r.Metrics.Sum(family, "processor", id)
		l.add(signal, id, unit+" refused for lack of memory", Detail, unit, int64(n))
	}
}

func memoryRefused(signal string) string {
	return "otelcol_processor_memory_limiter_refused_" + ownNames[signal]
}

// exporters adds what exporters without a published state sent and lost.
func (l *ledger) exporters(r *Reading, signal, unit string) {
	family := "otelcol_exporter_sent_" + ownNames[signal]
	for _, id := range r.Metrics.Values(family, "exporter") {
		if r.log(id) != nil {
			continue
		}
		n, _ := r.Metrics.Sum(family, "exporter", id)
		l.add(signal, id, unit+" sent", Sent, unit, int64(n))
		n, _ = r.Metrics.Sum("otelcol_exporter_send_failed_"+ownNames[signal], "exporter", id)
		l.add(signal, id, unit+" that could not be sent", Lost, unit, int64(n))
		n, _ = r.Metrics.Sum("otelcol_exporter_enqueue_failed_"+ownNames[signal], "exporter", id)
		l.add(signal, id, unit+" that found no room in the queue", Returned, unit, int64(n))
	}
}
