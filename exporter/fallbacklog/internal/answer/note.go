// Package answer records a downstream's answers to one attempt of an exporter: the HTTP status and Retry-After, the gRPC
// status, and the number of items that an OTLP answer of partial success rejects.
//
// Exporters hide some of these. prometheus_remote_write returns one permanent error without a status for 400, 401 and 429.
// otlp_http returns Retry-After in a type that is not exported. Both OTLP exporters log partial success and return nil. The
// package therefore reads the answers in the HTTP client and on the gRPC connection, and keeps them in the context of the
// attempt.
package answer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/status"
)

// Refusal is a request that the downstream did not accept.
type Refusal struct {
	// HTTP is the status code. It is 0 if there was none; Err then contains a gRPC status or the transport's error.
	HTTP int
	Err  error
	// RetryAfter is how long the downstream asks to wait in an HTTP header; 0 if it does not say.
	RetryAfter time.Duration
	// RemoteWrite is true for a request of Prometheus remote write, whose rules differ from OTLP's.
	RemoteWrite bool
}

func (r Refusal) String() string {
	if r.HTTP != 0 {
		return fmt.Sprintf("HTTP status %d", r.HTTP)
	}
	if st, ok := status.FromError(r.Err); ok {
		return "gRPC status " + st.Code().String()
	}
	return "no answer"
}

// ErrNothingSent means that an exporter returned nil without making a request.
var ErrNothingSent = errors.New("the wrapped exporter made no request of it")

// Error is an exporter's error with the downstream's answers.
type Error struct {
	Err      error
	Refusals []Refusal // at least one
}

func (e *Error) Error() string {
	answers := make([]string, len(e.Refusals))
	for i, r := range e.Refusals {
		answers[i] = r.String()
	}
	return fmt.Sprintf("%v (%s)", e.Err, strings.Join(answers, ", "))
}

func (e *Error) Unwrap() error { return e.Err }

// Note contains the answers to one attempt. An exporter may split a batch into many concurrent requests.
type Note struct {
	mu           sync.Mutex
	requested    bool
	remoteWrite  bool
	redirect     *Refusal // last redirect
	refusals     []Refusal
	refusedItems int64 // OTLP calls them rejected
}

type noteKey struct{}

// WithNote returns a context for one attempt, and the note of its answers.
func WithNote(ctx context.Context) (context.Context, *Note) {
	n := &Note{}
	return context.WithValue(ctx, noteKey{}, n), n
}

// noteFrom returns the note of a context, or nil outside an attempt.
func noteFrom(ctx context.Context) *Note {
	n, _ := ctx.Value(noteKey{}).(*Note)
	return n
}

func (n *Note) refused(r Refusal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requested = true
	n.remoteWrite = n.remoteWrite || r.RemoteWrite
	if r.HTTP/100 == 3 {
		n.redirect = &r // the client usually follows it, and the answer after it counts
		return
	}
	n.refusals = append(n.refusals, r)
}

func (n *Note) accepted(remoteWrite bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requested = true
	n.remoteWrite = n.remoteWrite || remoteWrite
}

func (n *Note) partial(refusedItems int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refusedItems += min(max(0, refusedItems), math.MaxInt32) // a downstream may say anything: the sum must not overflow
}

// Outcome returns the outcome of an attempt, given the exporter's error: the number of items that the downstream refused in a
// batch that it accepted, or an error, which is an *Error if the downstream has answered. ctx is the attempt's.
//
// A nil of the exporter may be wrong. prometheus_remote_write also returns nil if its context ends before a request is sent,
// and if it cannot translate any part of a batch.
func (n *Note) Outcome(ctx context.Context, items func() int, err error) (refusedItems int, _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err != nil && len(n.refusals) > 0:
		return 0, &Error{err, n.refusals}
	case err != nil && n.redirect != nil:
		return 0, &Error{err, []Refusal{*n.redirect}}
	case err != nil:
		return 0, err
	case ctx.Err() != nil && (n.remoteWrite || !n.requested):
		return 0, ctx.Err()
	case !n.requested && items() > 0:
		return 0, ErrNothingSent
	case n.refusedItems > 0:
		return int(min(n.refusedItems, int64(items()))), nil
	}
	return 0, nil
}
