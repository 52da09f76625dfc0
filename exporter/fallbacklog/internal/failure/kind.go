package failure

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// Kind is the meaning of an answer for the data. A higher kind is more severe.
type Kind int

// The kinds of answers. The exporter and the command's replay share them.
const (
	// ThrottledKind asks for a lower rate. It never counts against a record.
	ThrottledKind Kind = iota
	// RetryableKind may pass at another attempt.
	RetryableKind
	// SharedKind refuses this batch, or all batches until somebody changes something. One answer does not show which.
	SharedKind
	// BatchKind refuses this batch for good.
	BatchKind
)

func (k Kind) String() string {
	return [...]string{"throttled", "retryable", "one batch or all", "one batch"}[k]
}

// Refused reports whether the downstream has refused the data, for now or for good.
func (k Kind) Refused() bool { return k >= SharedKind }

// KindOfHTTP returns the kind of an HTTP status that is not a success and has no Retry-After.
func KindOfHTTP(code int) Kind {
	switch code {
	case http.StatusTooManyRequests:
		return ThrottledKind
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return RetryableKind
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusProxyAuthRequired, http.StatusUnsupportedMediaType,
		http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return SharedKind
	}
	switch code / 100 {
	case 3: // a redirect that the client did not follow
		return SharedKind
	case 5:
		return RetryableKind
	}
	return BatchKind
}

// kindOfGRPC returns the kind of a gRPC status without RetryInfo.
func kindOfGRPC(code codes.Code) Kind {
	switch code {
	case codes.ResourceExhausted:
		return ThrottledKind
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss,
		codes.Unknown, codes.Internal:
		return RetryableKind
	case codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented, codes.NotFound:
		return SharedKind
	case codes.OK, codes.InvalidArgument, codes.AlreadyExists, codes.FailedPrecondition:
	}
	return BatchKind
}

func classOfHTTP(code int) Class {
	switch code {
	case http.StatusTooManyRequests:
		return Throttled
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return Timeout
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return Network
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired:
		return Auth
	case http.StatusBadRequest:
		return Serialization
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	}
	switch KindOfHTTP(code) {
	case SharedKind:
		return Config
	case RetryableKind:
		return Unknown
	case ThrottledKind, BatchKind:
	}
	return Permanent
}

func classOfGRPC(code codes.Code) Class {
	switch code {
	case codes.Unavailable, codes.Aborted, codes.DataLoss:
		return Network
	case codes.DeadlineExceeded:
		return Timeout
	case codes.Canceled:
		return Canceled
	case codes.ResourceExhausted, codes.OutOfRange:
		return Throttled
	case codes.Unauthenticated, codes.PermissionDenied:
		return Auth
	case codes.Unimplemented, codes.NotFound:
		return Config
	case codes.InvalidArgument:
		return Serialization
	case codes.Unknown, codes.Internal:
		return Unknown
	case codes.OK, codes.AlreadyExists, codes.FailedPrecondition:
	}
	return Permanent
}
