package delivery

import (
	"errors"
	"syscall"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// callerError is the answer to a caller whose batch is neither delivered nor durable. Its text contains no file name and no
// number, so that errors with one cause have the same text; the log line has the details. It is retryable whatever the
// downstream's refusal was.
type callerError struct {
	what string
	err  error
}

// namedCauses are the causes that the text names. More specific causes come first.
var namedCauses = []error{segment.ErrTooLarge, segment.ErrNoRoom, segment.ErrFull, segment.ErrStalled, segment.ErrBusy, segment.ErrInUse, segment.ErrClosed}

func (e *callerError) Error() string {
	for _, cause := range namedCauses {
		if errors.Is(e.err, cause) {
			return e.what + ": " + cause.Error()
		}
	}
	var errno syscall.Errno
	if errors.As(e.err, &errno) {
		return e.what + ": " + errno.Error()
	}
	return e.what + ": the local log fails"
}

func (e *callerError) Unwrap() error { return e.err }
