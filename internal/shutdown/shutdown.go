// Package shutdown divides the time that a gateway has between SIGTERM and SIGKILL.
//
// The Collector stops receivers, then processors, then exporters, and gives them no deadline. Kubernetes kills the
// process after 30 s (terminationGracePeriodSeconds). A pipeline has one receiver stage, at most one processor stage
// with state, and one exporter stage. Their budgets add up to 23 s; the rest is for all other components.
package shutdown

import "time"

// Budgets of the stages. Each Shutdown ends within its budget, or earlier if its context ends earlier.
const (
	Receiver  = 10 * time.Second // drain the sockets and flush the open interval
	Processor = 5 * time.Second  // flush pending points
	Exporter  = 8 * time.Second  // give requests in flight a last chance, then write them to the log
)
