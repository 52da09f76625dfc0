package failure

import (
	"context"
	"errors"
	"fmt"
	"io"
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

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/answer"
)

func refusedBy(err error, r ...answer.Refusal) error { return &answer.Error{Err: err, Refusals: r} }

func TestClassify(t *testing.T) {
	opaque := consumererror.NewPermanent(errors.New("refused"))
	throttled, err := status.New(codes.ResourceExhausted, "").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)})
	require.NoError(t, err)
	code := func(c codes.Code) error { return status.Error(c, "text") }
	refused := &url.Error{Op: "Post", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}

	for _, tc := range []struct {
		name string
		err  error
		want Failure
	}{
		{"unavailable", code(codes.Unavailable), Failure{Class: Network, Code: "Unavailable", Kind: RetryableKind}},
		{"wrapped", fmt.Errorf("x: %w", code(codes.Unavailable)), Failure{Class: Network, Code: "Unavailable", Kind: RetryableKind}},
		{"deadline by status", code(codes.DeadlineExceeded), Failure{Class: Timeout, Code: "DeadlineExceeded", Kind: RetryableKind}},
		{"deadline by context", fmt.Errorf("x: %w", context.DeadlineExceeded), Failure{Class: Timeout, Kind: RetryableKind}},
		{"canceled", context.Canceled, Failure{Class: Canceled, Kind: RetryableKind}},
		{"throttled with delay", exporterhelper.NewThrottleRetry(throttled.Err(), 3*time.Second), Failure{Class: Throttled, Code: "ResourceExhausted", RetryAfter: 3 * time.Second}},
		{"429 of otlp_http", code(codes.ResourceExhausted), Failure{Class: Throttled, Code: "ResourceExhausted", MaybeSize: true}},
		{"exhausted for good", consumererror.NewPermanent(code(codes.ResourceExhausted)), Failure{Class: Throttled, Code: "ResourceExhausted", MaybeSize: true}},
		{"invalid", consumererror.NewPermanent(code(codes.InvalidArgument)), Failure{Class: Serialization, Code: "InvalidArgument", Kind: BatchKind}},
		{"invalid, not wrapped", code(codes.InvalidArgument), Failure{Class: Serialization, Code: "InvalidArgument", Kind: BatchKind}},
		{"unauthenticated", consumererror.NewPermanent(code(codes.Unauthenticated)), Failure{Class: Auth, Code: "Unauthenticated", Kind: SharedKind}},
		{"denied", consumererror.NewPermanent(code(codes.PermissionDenied)), Failure{Class: Auth, Code: "PermissionDenied", Kind: SharedKind}},
		{"unimplemented", consumererror.NewPermanent(code(codes.Unimplemented)), Failure{Class: Config, Code: "Unimplemented", Kind: SharedKind}},
		{"internal", consumererror.NewPermanent(code(codes.Internal)), Failure{Class: Unknown, Code: "Internal", Kind: RetryableKind, AboutData: true}},
		{"internal, not wrapped", code(codes.Internal), Failure{Class: Unknown, Code: "Internal", Kind: RetryableKind, AboutData: true}},
		{"connection refused", refused, Failure{Class: Network, Kind: RetryableKind}},
		{"connection refused, made permanent", consumererror.NewPermanent(refused), Failure{Class: Network, Kind: RetryableKind}},
		{"opaque permanent", consumererror.NewPermanent(errors.New("429")), Failure{Class: Opaque, Kind: RetryableKind, AboutData: true}},
		{"unknown", errors.New("x"), Failure{Class: Unknown, Kind: RetryableKind}},
		{"unavailable, made permanent", consumererror.NewPermanent(code(codes.Unavailable)), Failure{Class: Network, Code: "Unavailable", Kind: RetryableKind}},
		{"nothing sent", answer.ErrNothingSent, Failure{Class: Serialization, Kind: BatchKind}},
		{"HTTP 429 behind an opaque error", refusedBy(opaque, answer.Refusal{HTTP: 429, RetryAfter: time.Minute}), Failure{Class: Throttled, Code: "429", RetryAfter: time.Minute}},
		{"HTTP 400 behind an opaque error", refusedBy(opaque, answer.Refusal{HTTP: 400}), Failure{Class: Serialization, Code: "400", Kind: BatchKind}},
		{"HTTP 403 behind an opaque error", refusedBy(opaque, answer.Refusal{HTTP: 403}), Failure{Class: Auth, Code: "403", Kind: SharedKind}},
		{"HTTP 500 to OTLP", refusedBy(opaque, answer.Refusal{HTTP: 500}), Failure{Class: Unknown, Code: "500", Kind: RetryableKind, AboutData: true}},
		{"HTTP 500 to remote write", refusedBy(opaque, answer.Refusal{HTTP: 500, RemoteWrite: true}), Failure{Class: Unknown, Code: "500", Kind: RetryableKind, AboutData: true}},
		{"HTTP 418 that the exporter would retry", refusedBy(errors.New("x"), answer.Refusal{HTTP: 418}), Failure{Class: Permanent, Code: "418", Kind: BatchKind}},
		{"no answer", refusedBy(opaque, answer.Refusal{Err: io.EOF}), Failure{Class: Network, Kind: RetryableKind}},
		{"a timeout of the HTTP client", refusedBy(&url.Error{Op: "Post", Err: context.DeadlineExceeded}, answer.Refusal{Err: errors.New("request canceled")}), Failure{Class: Timeout, Kind: RetryableKind}},
		{"gRPC behind an opaque error", refusedBy(opaque, answer.Refusal{Err: code(codes.Unknown)}), Failure{Class: Unknown, Code: "Unknown", Kind: RetryableKind, AboutData: true}},
		{
			"one of several may get through",
			refusedBy(opaque, answer.Refusal{HTTP: 400}, answer.Refusal{HTTP: 503, RetryAfter: time.Second}, answer.Refusal{HTTP: 401, RetryAfter: time.Minute}),
			Failure{Class: Network, Code: "503", Kind: ThrottledKind, RetryAfter: time.Minute},
		},
		{
			"one of several waits for somebody",
			refusedBy(opaque, answer.Refusal{HTTP: 400}, answer.Refusal{HTTP: 401}),
			Failure{Class: Auth, Code: "401", Kind: SharedKind},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.want, Classify(tc.err, consumererror.IsPermanent(tc.err)))
		})
	}
}
