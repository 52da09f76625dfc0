package delivery

// Reason is why data went to the log or to the dead letter. It is an attribute of metrics and a member of each record.
type Reason string

// Reasons why data went to the log.
const (
	ReasonLogOnly  Reason = "log_only"         // no exporter is wrapped
	ReasonOpen     Reason = "breaker_open"     // the breaker did not allow an attempt, or another one
	ReasonAttempts Reason = "max_attempts"     // all attempts failed
	ReasonBudget   Reason = "budget"           // no time was left for another attempt
	ReasonCanceled Reason = "canceled"         // the caller gave up; the data is kept
	ReasonBehind   Reason = "behind"           // strict order: older data was not delivered yet
	ReasonShutdown Reason = "shutdown"         // the attempt was in flight at Shutdown
	ReasonSystemic Reason = "systemic"         // refused as one batch or all, or while the signal waits
	ReasonTooLarge Reason = "too_large"        // refused for its size; replay sends it in parts
	ReasonOpaque   Reason = "opaque_permanent" // refused without a reason that a program can read
)

// Reasons why data went to the dead letter.
const (
	ReasonRefused     Reason = "permanent"   // refused for good
	ReasonPoison      Reason = "poison"      // kept failing while others passed
	ReasonUndecodable Reason = "undecodable" // the checksum is right, but the record cannot be decoded
)

// DeadLetterReasons are the reasons why data goes to the dead letter.
var DeadLetterReasons = []Reason{ReasonRefused, ReasonPoison, ReasonUndecodable}

// Drop is why data was dropped.
type Drop string

// Reasons why data was dropped.
const (
	DroppedFull    Drop = "full"            // log::on_full dropped it
	DroppedPartial Drop = "partial_success" // the downstream refused it in an answer of partial success
)

// Drops are the reasons why data is dropped.
var Drops = []Drop{DroppedFull, DroppedPartial}
