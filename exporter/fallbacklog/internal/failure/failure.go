// Package failure says what an exporter's error means for the data: whether another attempt may succeed, when, and
// whether the data or the downstream is at fault.
//
// It looks at types only: consumererror's permanence, the gRPC status that otlp_grpc and otlp_http keep, context and
// network errors. An error that carries none of them, such as the single permanent error of prometheus_remote_write,
// is Opaque: nobody can tell a refused batch from a downstream that is away, so neither is assumed.
package failure

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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
)

// Failure is the meaning of an error.
type Failure struct {
	Class Class
	// Code is the gRPC status code by name, empty where the error has none.
	Code string
	// Retryable: another attempt with the same data may succeed.
	Retryable bool
	// Systemic: no data would get through, until somebody changes a configuration.
	Systemic bool
	// RetryAfter is how long the downstream asks to wait; 0 when it does not say.
	RetryAfter time.Duration
}

// Of classifies an error that is not nil. permanent is what the exporter says of it (consumererror.IsPermanent).
func Of(err error, permanent bool) Failure {
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

// byCode refines by status code. Which codes are retryable follows OTLP's "Failures" section; the exporters have
// applied it already and say so by permanence, so codes only overrule exporters that say nothing.
func (f *Failure) byCode(st *status.Status) {
	f.Code = st.Code().String()
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			f.RetryAfter = max(0, info.GetRetryDelay().AsDuration())
		}
	}
	switch st.Code() {
	case codes.Unavailable, codes.Aborted, codes.DataLoss:
		f.Class = Network
	case codes.DeadlineExceeded:
		f.Class = Timeout
	case codes.Canceled:
		f.Class = Canceled
	case codes.ResourceExhausted, codes.OutOfRange:
		f.Class = Throttled
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
