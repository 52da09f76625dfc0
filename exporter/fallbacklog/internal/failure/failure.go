// Package failure says what an exporter's error means for the data: whether another attempt may succeed, when, and
// whether the data or the downstream is at fault.
//
// It looks at types only: what the downstream has answered where that was heard (package answer), consumererror's
// permanence, the gRPC status, context and network errors. A permanent error that carries none of them is Opaque: nobody
// can tell a refused batch from a downstream that is away, so neither is assumed.
package failure

import (
	"context"
	"errors"
	"net"
	"net/http"
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
	Partial       Class = "partial"       // the downstream took a batch but for some of its items
)

// The classes of what fails here.
const (
	Log         Class = "log"
	DeadLetter  Class = "dead_letter"
	Fsync       Class = "fsync"
	Key         Class = "key"         // a record is encrypted with another key
	Compression Class = "compression" // a segment stays as it is
)

// Failure is the meaning of an error.
type Failure struct {
	Class Class
	// Code is the HTTP status code, or the gRPC one by name; empty where there is none.
	Code string
	// Retryable: another attempt with the same data may succeed.
	Retryable bool
	// Systemic: no data would get through, until somebody changes a configuration.
	Systemic bool
	// RetryAfter is how long the downstream asks to wait; 0 when it does not say.
	RetryAfter time.Duration
}

// Of classifies an error that is not nil. permanent is what the exporter says of it (consumererror.IsPermanent).
//
// Where the downstream has refused several requests of one attempt, the attempt failed in the way that leaves most hope:
// while a part of the data may get through, the batch is worth another attempt.
func Of(err error, permanent bool) Failure {
	var told *answer.Error
	if !errors.As(err, &told) {
		return of(err, permanent)
	}
	var worth Failure
	for i, r := range told.Refusals {
		f := ofRefusal(r, told, permanent)
		if i == 0 || f.hope() > worth.hope() {
			f.RetryAfter = max(f.RetryAfter, worth.RetryAfter)
			worth = f
		} else {
			worth.RetryAfter = max(f.RetryAfter, worth.RetryAfter)
		}
	}
	return worth
}

// hope orders failures: the data may get through again, or after somebody has changed something, or never.
func (f Failure) hope() int {
	switch {
	case f.Retryable:
		return 2
	case f.Systemic:
		return 1
	}
	return 0
}

func ofRefusal(r answer.Refusal, told *answer.Error, permanent bool) Failure {
	if r.HTTP == 0 {
		return ofSilence(r.Err, told.Err, permanent)
	}
	f := Failure{Code: strconv.Itoa(r.HTTP), RetryAfter: r.RetryAfter}
	f.byHTTP(r, permanent)
	return f
}

// ofSilence classifies a request without an HTTP status, by the transport's error, or else the exporter's, in which the
// HTTP client has noted its timeout. Without a gRPC status either there was no answer, and so nothing was refused.
func ofSilence(transport, exporters error, permanent bool) Failure {
	for _, err := range []error{transport, exporters} {
		if f := of(err, permanent); f.Code != "" || f.Class != Unknown && f.Class != Opaque {
			return f
		}
	}
	return Failure{Class: Network, Retryable: true}
}

func of(err error, permanent bool) Failure {
	f := Failure{Class: Unknown, Retryable: !permanent}
	if st, ok := statusOf(err); ok {
		f.byCode(st)
		return f
	}
	var netErr net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		f.Class, f.Retryable = Timeout, true
	case errors.Is(err, context.Canceled):
		f.Class, f.Retryable = Canceled, true
	case errors.Is(err, answer.ErrNothingSent):
		f.Class, f.Retryable = Serialization, false
	case errors.As(err, &netErr):
		// The permanence of an exporter that wraps everything is overruled: nothing was refused.
		f.Class, f.Retryable = Network, true
		if netErr.Timeout() {
			f.Class = Timeout
		}
	case !f.Retryable:
		f.Class = Opaque
	}
	return f
}

// byHTTP refines by status code: OTLP's "Failures" section for HTTP, which retries 429, 502, 503 and 504, and remote
// write's "Retries & Backoff", which retries 429 and every 5xx. Of what neither names the exporter has the word.
func (f *Failure) byHTTP(r answer.Refusal, permanent bool) {
	switch code := r.HTTP; {
	case code == http.StatusTooManyRequests:
		f.Class, f.Retryable = Throttled, true
	case code == http.StatusBadGateway, code == http.StatusServiceUnavailable:
		f.Class, f.Retryable = Network, true
	case code == http.StatusGatewayTimeout:
		f.Class, f.Retryable = Timeout, true
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		f.Class, f.Systemic = Auth, true
	case code == http.StatusNotFound, code/100 == 3: // a redirect that leads nowhere
		f.Class, f.Systemic = Config, true
	case code == http.StatusBadRequest:
		f.Class = Serialization
	case code/100 == 5 && r.RemoteWrite, !permanent:
		f.Class, f.Retryable = Unknown, true
	default:
		f.Class = Permanent
	}
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

// byCode refines by status code. Which codes are retryable follows OTLP's "Failures" section for gRPC; of what it does not
// name the exporter has the word.
func (f *Failure) byCode(st *status.Status) {
	f.Code = st.Code().String()
	told := false
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			f.RetryAfter, told = max(0, info.GetRetryDelay().AsDuration()), true
		}
	}
	switch st.Code() {
	case codes.Unavailable, codes.Aborted, codes.DataLoss:
		f.Class, f.Retryable = Network, true
	case codes.DeadlineExceeded:
		f.Class, f.Retryable = Timeout, true
	case codes.Canceled:
		f.Class, f.Retryable = Canceled, true
	case codes.OutOfRange:
		f.Class, f.Retryable = Throttled, true
	case codes.ResourceExhausted:
		f.Class, f.Retryable = Throttled, f.Retryable || told
	case codes.Unauthenticated, codes.PermissionDenied:
		f.Class, f.Retryable, f.Systemic = Auth, false, true
	case codes.Unimplemented, codes.NotFound:
		f.Class, f.Retryable, f.Systemic = Config, false, true
	case codes.InvalidArgument:
		f.Class, f.Retryable = Serialization, false
	case codes.AlreadyExists, codes.FailedPrecondition:
		f.Class, f.Retryable = Permanent, false
	case codes.OK, codes.Unknown, codes.Internal:
		if !f.Retryable {
			f.Class = Permanent
		}
	}
}
