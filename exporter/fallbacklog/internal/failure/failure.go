// Package failure classifies an exporter's error: whether another attempt may succeed and when, and whether the data or the
// downstream is at fault. The status codes and their kinds are in kind.go.
//
// It looks only at types: the downstream's answers if package answer has noted them, the permanence of consumererror, gRPC
// statuses, context errors and network errors. A permanent error without any of these is Opaque: a refused batch and an
// unreachable downstream look the same, so another attempt may succeed.
package failure

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/answer"
)

// Class is the class of a failure, for telemetry.
type Class string

// The classes.
const (
	Network       Class = "network"       // no connection, reset, unavailable
	Timeout       Class = "timeout"       // a deadline passed
	Throttled     Class = "throttled"     // the downstream asks for a lower rate
	Auth          Class = "auth"          // credentials are missing or refused
	Config        Class = "config"        // the downstream does not know the service or the path
	Serialization Class = "serialization" // the data could not be encoded or was not understood
	Permanent     Class = "permanent"     // refused for any other stated reason
	Opaque        Class = "opaque"        // permanent, without a machine-readable reason
	Canceled      Class = "canceled"      // the caller gave up
	Unknown       Class = "unknown"       // retryable, without a machine-readable reason
	TooLarge      Class = "too_large"     // the downstream refuses a request of this size
	Partial       Class = "partial"       // the downstream accepted a batch except some of its items
)

// The classes of failures of this component.
const (
	Log        Class = "log"
	DeadLetter Class = "dead_letter"
	Fsync      Class = "fsync"
	Key        Class = "key" // a record is encrypted with another key
)

// Failure is the meaning of an error.
type Failure struct {
	Class Class
	// Code is the HTTP status code or the name of the gRPC code. It is empty if there was no answer.
	Code string
	Kind Kind
	// AboutData is true if the data may be the cause, for instance because servers answer 500 to data that they cannot process.
	// One such batch must not open the breaker.
	AboutData bool
	// MaybeSize is true for an answer that servers give both when they throttle and when a message is too large.
	MaybeSize bool
	// RetryAfter is how long the downstream asks to wait; 0 if it does not say.
	RetryAfter time.Duration
}

// Classify classifies an error that is not nil. permanent is the exporter's own judgement (consumererror.IsPermanent).
//
// If the downstream has refused several requests of one attempt the least severe failure decides: while a part of the data may
// pass the batch is worth another attempt.
func Classify(err error, permanent bool) Failure {
	var answered *answer.Error
	if !errors.As(err, &answered) {
		return classify(err, permanent)
	}
	var mildest Failure
	for i, r := range answered.Refusals {
		f := classifyRefusal(r, answered, permanent)
		longest := max(f.RetryAfter, mildest.RetryAfter)
		if i == 0 || f.severity() < mildest.severity() {
			mildest = f
		}
		mildest.RetryAfter = longest
	}
	return mildest
}

// severity orders failures. Retryable and throttled are equally severe.
func (f Failure) severity() Kind { return max(f.Kind, RetryableKind) }

func classifyRefusal(r answer.Refusal, answered *answer.Error, permanent bool) Failure {
	if r.HTTP == 0 {
		return classifyWithoutStatus(r.Err, answered.Err, permanent)
	}
	f := Failure{Class: classOfHTTP(r.HTTP), Code: strconv.Itoa(r.HTTP), Kind: KindOfHTTP(r.HTTP), AboutData: r.HTTP == 500}
	f.asksFor(r.RetryAfter)
	return f
}

// asksFor makes a failure with a time to wait a throttled one.
func (f *Failure) asksFor(wait time.Duration) {
	if wait > 0 {
		f.RetryAfter = wait
		f.Kind, f.AboutData, f.MaybeSize = ThrottledKind, false, false
	}
}

// classifyWithoutStatus classifies a request without an HTTP status: by the transport's error, or else by the exporter's error,
// which contains the timeout of an HTTP client. Without a gRPC status either there was no answer, so nothing was refused.
func classifyWithoutStatus(transport, exporters error, permanent bool) Failure {
	for _, err := range []error{transport, exporters} {
		if f := classify(err, permanent); f.Code != "" || f.Class != Unknown && f.Class != Opaque {
			return f
		}
	}
	return Failure{Class: Network, Kind: RetryableKind}
}

func classify(err error, permanent bool) Failure {
	if st, ok := statusOf(err); ok {
		return classifyStatus(st)
	}
	f := Failure{Class: Unknown, Kind: RetryableKind}
	var netErr net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		f.Class = Timeout
	case errors.Is(err, context.Canceled):
		f.Class = Canceled
	case errors.Is(err, answer.ErrNothingSent):
		f.Class, f.Kind = Serialization, BatchKind
	case errors.As(err, &netErr):
		// No server has refused the data, even if the exporter marks every error as permanent.
		f.Class = Network
		if netErr.Timeout() {
			f.Class = Timeout
		}
	case permanent:
		f.Class, f.AboutData = Opaque, true
	}
	return f
}

// statusOf finds a gRPC status in the chain. OK does not count, nor does the status that status.FromError makes of foreign
// errors.
func statusOf(err error) (*status.Status, bool) {
	var carrier interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &carrier) {
		return nil, false
	}
	st := carrier.GRPCStatus()
	if st == nil || st.Code() == codes.OK {
		return nil, false
	}
	return st, true
}

func classifyStatus(st *status.Status) Failure {
	f := Failure{
		Class: classOfGRPC(st.Code()), Code: st.Code().String(), Kind: kindOfGRPC(st.Code()),
		AboutData: st.Code() == codes.Unknown || st.Code() == codes.Internal,
		MaybeSize: st.Code() == codes.ResourceExhausted,
	}
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			f.Kind, f.AboutData, f.MaybeSize = ThrottledKind, false, false
			f.asksFor(info.GetRetryDelay().AsDuration())
		}
	}
	return f
}
