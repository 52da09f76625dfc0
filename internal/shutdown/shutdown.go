// Package shutdown divides the time a gateway has between SIGTERM and its end.
//
// The Collector stops receivers, then processors, then exporters, and gives them no deadline.
// Kubernetes kills after 30 s (terminationGracePeriodSeconds), so the parts add up to less:
// a pipeline has one receiver stage, at most one stage of a processor with state, and one exporter
// stage, and what remains is for everything else.
package shutdown

import (
	"context"
	"time"
)

// Budgets of the stages.
const (
	Receiver  = 10 * time.Second // drain the sockets and hand on the open interval
	Processor = 5 * time.Second  // hand on what is held back
	Exporter  = 8 * time.Second  // give what is in flight a last chance, then write it down
)

// Within returns a context that ends with parent, or when the budget is used up.
func Within(parent context.Context, budget time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(parent, budget)
}
