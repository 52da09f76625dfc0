// Package shutdown divides the time a gateway has between SIGTERM and its end.
//
// The Collector stops receivers, then processors, then exporters, and gives them no deadline.
// Kubernetes kills after 30 s (terminationGracePeriodSeconds), so the parts add up to less:
// a pipeline has one receiver stage, at most one stage of a processor with state, and one exporter
// stage, and what remains is for everything else.
package shutdown

import "time"

// Budgets of the stages: each Shutdown takes at most this long, or less where its context ends sooner.
const (
	Receiver  = 10 * time.Second // drain the sockets and hand on the open interval
	Processor = 5 * time.Second  // hand on what is held back
	Exporter  = 8 * time.Second  // give what is in flight a last chance, then write it down
)
