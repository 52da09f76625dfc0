package failure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestOf(t *testing.T) {
	throttled, err := status.New(codes.ResourceExhausted, "").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)})
	require.NoError(t, err)
	code := func(c codes.Code) error { return status.Error(c, "text") }
	refused := &url.Error{Op: "Post", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}

	for _, tc := range []struct {
		name string
		err  error
		want Failure
	}{
		{"unavailable", code(codes.Unavailable), Failure{Class: Network, Code: "Unavailable", Retryable: true}},
		{"wrapped", fmt.Errorf("x: %w", code(codes.Unavailable)), Failure{Class: Network, Code: "Unavailable", Retryable: true}},
		{"deadline by status", code(codes.DeadlineExceeded), Failure{Class: Timeout, Code: "DeadlineExceeded", Retryable: true}},
		{"deadline by context", fmt.Errorf("x: %w", context.DeadlineExceeded), Failure{Class: Timeout, Retryable: true}},
		{"canceled", context.Canceled, Failure{Class: Canceled, Retryable: true}},
		{"throttled with delay", exporterhelper.NewThrottleRetry(throttled.Err(), 3*time.Second), Failure{Class: Throttled, Code: "ResourceExhausted", Retryable: true, RetryAfter: 3 * time.Second}},
		{"429 of otlp_http", code(codes.ResourceExhausted), Failure{Class: Throttled, Code: "ResourceExhausted", Retryable: true}},
		{"exhausted for good", consumererror.NewPermanent(code(codes.ResourceExhausted)), Failure{Class: Throttled, Code: "ResourceExhausted"}},
		{"invalid", consumererror.NewPermanent(code(codes.InvalidArgument)), Failure{Class: Serialization, Code: "InvalidArgument"}},
		{"invalid, not wrapped", code(codes.InvalidArgument), Failure{Class: Serialization, Code: "InvalidArgument"}},
		{"unauthenticated", consumererror.NewPermanent(code(codes.Unauthenticated)), Failure{Class: Auth, Code: "Unauthenticated", Systemic: true}},
		{"denied", consumererror.NewPermanent(code(codes.PermissionDenied)), Failure{Class: Auth, Code: "PermissionDenied", Systemic: true}},
		{"unimplemented", consumererror.NewPermanent(code(codes.Unimplemented)), Failure{Class: Config, Code: "Unimplemented", Systemic: true}},
		{"internal", consumererror.NewPermanent(code(codes.Internal)), Failure{Class: Permanent, Code: "Internal"}},
		{"internal, not wrapped", code(codes.Internal), Failure{Class: Unknown, Code: "Internal", Retryable: true}},
		{"connection refused", refused, Failure{Class: Network, Retryable: true}},
		{"connection refused, made permanent", consumererror.NewPermanent(refused), Failure{Class: Network, Retryable: true}},
		{"opaque permanent", consumererror.NewPermanent(errors.New("429")), Failure{Class: Opaque}},
		{"unknown", errors.New("x"), Failure{Class: Unknown, Retryable: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.want, Of(tc.err, consumererror.IsPermanent(tc.err)))
		})
	}
}
