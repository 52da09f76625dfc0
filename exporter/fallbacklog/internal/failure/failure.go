// Package failure classifies an exporter's error: whether another attempt may succeed, when, and whether the data or the
// downstream is at fault. The status codes and their kinds are in kind.go.
//
// It looks at types only: what the downstream has answered where that was heard (package answer), consumererror's
// permanence, the gRPC status, context and network errors. A permanent error that carries none of them is Opaque: nobody
// can tell a refused batch from a downstream that is away, so another attempt may succeed.
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

// Class names a kind of failure, for telemetry.
type Class string

// The classes.
const (
	Network       Class = "network"       // no connection, reset, unavailable
	Timeout       Class = "timeout"       // a deadline passed
	Throttled     Class = "throttled"     // the downstream asks for less
	Auth          Class = "auth"          // credentials missing or refused
	Config        Class = "config"        // the downstream does not know the service or the path
	Serialization Class = "serialization" // the data could not be encoded or was not understood
	Permanent     Class = "permanent"     // refused for any other stated reason
	Opaque        Class = "opaque"        // permanent, without a reason that a program can read
	Canceled      Class = "canceled"      // the caller gave up
	Unknown       Class = "unknown"       // retryable, without a reason that a program can read
	TooLarge      Class = "too_large"     // the downstream accepts no request of this size
	Partial       Class = "partial"       // the downstream took a batch but for some of its items
)

// The classes of what fails here.
const (
	Log        Class = "log"
	DeadLetter Class = "dead_letter"
	Fsync      Class = "fsync"
	Key        Class = "key" // a record is encrypted with another key
)

// Failure is the meaning of an error.
type Failure struct {
	Class Class
	// Code is the HTTP status code, or the gRPC one by name; empty where there was no answer.
	Code string
	Kind Kind
	// AboutData: the downstream may have failed because of this data, as servers do that answer 500 to what they cannot
	// process. One batch must not open the breaker with it.
	AboutData bool
	// MaybeSize: the answer is that of a server for a message that is too large, and of one that throttles.
	MaybeSize bool
	// RetryAfter is how long the downstream asks to wait; 0 when it does not say.
	RetryAfter time.Duration
}

// Of classifies an error that is not nil. permanent is what the exporter says of it (consumererror.IsPermanent).
//
// Where the downstream has refused several requests of one attempt, the mildest answer decides: while a part of the data
// may get through, the batch is worth another attempt.
func Of(err error, permanent bool) Failure {
	var answered *answer.Error
	if !errors.As(err, &answered) {
		return of(err, permanent)
	}
	var mildest Failure
	for i, r := range answered.Refusals {
		f := ofRefusal(r, answered, permanent)
		longest := max(f.RetryAfter, mildest.RetryAfter)
		if i == 0 || f.severity() < mildest.severity() {
			mildest = f
		}
		mildest.RetryAfter = longest
	}
	return mildest
}

// severity orders failures. Retryable and throttled are as mild as each other.
func (f Failure) severity() Kind { return max(f.Kind, RetryableKind) }

func ofRefusal(r answer.Refusal, answered *answer.Error, permanent bool) Failure {
	if r.HTTP == 0 {
		return ofSilence(r.Err, answered.Err, permanent)
	}
	f := Failure{Class: classOfHTTP(r.HTTP), Code: strconv.Itoa(r.HTTP), Kind: OfHTTP(r.HTTP), AboutData: r.HTTP == 500}
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

// ofSilence classifies a request without an HTTP status, by the transport's error, or else the exporter's, in which the
// HTTP client has noted its timeout. Without a gRPC status either there was no answer, and so nothing was refused.
func ofSilence(transport, exporters error, permanent bool) Failure {
	for _, err := range []error{transport, exporters} {
		if f := of(err, permanent); f.Code != "" || f.Class != Unknown && f.Class != Opaque {
			return f
		}
	}
	return Failure{Class: Network, Kind: RetryableKind}
}

func of(err error, permanent bool) Failure {
	if st, ok := statusOf(err); ok {
		return ofStatus(st)
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
		// The permanence of an exporter that wraps everything is overruled: nothing was refused.
		f.Class = Network
		if netErr.Timeout() {
			f.Class = Timeout
		}
	case permanent:
		f.Class, f.AboutData = Opaque, true
	}
	return f
}

// statusOf finds a gRPC status in the chain. OK and what status.FromError makes up for foreign errors do not count.
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

func ofStatus(st *status.Status) Failure {
	f := Failure{
		Class: classOfGRPC(st.Code()), Code: st.Code().String(), Kind: OfGRPC(st.Code()),
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
