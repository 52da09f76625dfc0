// Package answer notes what a downstream answers while an exporter makes an attempt: the HTTP status and Retry-After,
// the gRPC status, and how much of a batch an OTLP answer of partial success refuses.
//
// Exporters keep some of that to themselves. prometheus_remote_write has one permanent error without a status for 400,
// 401 and 429 alike; otlp_http tells Retry-After in a type that is not exported; both OTLP exporters log partial success
// and return nil. So it is heard where it passes: in the HTTP client and on the gRPC connection, and kept in the
// context of the attempt.
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

// Refusal is a request of an attempt that the downstream has not taken.
type Refusal struct {
	// HTTP is the status code; 0 where there was none, and then Err says why: a gRPC status, or no answer at all.
	HTTP int
	Err  error
	// RetryAfter is how long the downstream asks to wait in an HTTP header; 0 when it does not say.
	RetryAfter time.Duration
	// RemoteWrite: the request was one of Prometheus remote write, whose rules differ from OTLP's.
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

// ErrNothingSent says that an exporter had nothing to object to and asked nobody to take the data.
var ErrNothingSent = errors.New("the wrapped exporter made no request of it")

// Error is an exporter's error with what the downstream has answered.
type Error struct {
	Err      error
	Refusals []Refusal // one at least
}

func (e *Error) Error() string {
	told := make([]string, len(e.Refusals))
	for i, r := range e.Refusals {
		told[i] = r.String()
	}
	return fmt.Sprintf("%v (%s)", e.Err, strings.Join(told, ", "))
}

func (e *Error) Unwrap() error { return e.Err }

// Note keeps the answers of one attempt. An exporter may split a batch into many requests and make them concurrently.
type Note struct {
	mu          sync.Mutex
	asked       bool
	remoteWrite bool
	redirect    *Refusal // the last one
	refusals    []Refusal
	rejected    int64
}

type noteKey struct{}

// With returns a context for one attempt, and the note of what is answered in it.
func With(ctx context.Context) (context.Context, *Note) {
	n := &Note{}
	return context.WithValue(ctx, noteKey{}, n), n
}

// from returns nil outside an attempt.
func from(ctx context.Context) *Note {
	n, _ := ctx.Value(noteKey{}).(*Note)
	return n
}

func (n *Note) refused(r Refusal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = true
	n.remoteWrite = n.remoteWrite || r.RemoteWrite
	if r.HTTP/100 == 3 {
		n.redirect = &r // mostly followed: what comes after it counts
		return
	}
	n.refusals = append(n.refusals, r)
}

func (n *Note) took(remoteWrite bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = true
	n.remoteWrite = n.remoteWrite || remoteWrite
}

func (n *Note) partial(rejected int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rejected += min(max(0, rejected), math.MaxInt32) // a downstream may say anything: the sum must not overflow
}

// Outcome is what the attempt has come to, given what the exporter says of it: how many items the downstream has
// rejected though it took the batch, or an error, as an *Error where the downstream has said why. ctx is the attempt's.
//
// Not every nil is believed. prometheus_remote_write returns nil, too, when its context ends before a request is sent,
// and when it finds nothing in a batch that it can translate.
func (n *Note) Outcome(ctx context.Context, items func() int, err error) (rejected int, _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err != nil && len(n.refusals) > 0:
		return 0, &Error{err, n.refusals}
	case err != nil && n.redirect != nil:
		return 0, &Error{err, []Refusal{*n.redirect}}
	case err != nil:
		return 0, err
	case ctx.Err() != nil && (n.remoteWrite || !n.asked):
		return 0, ctx.Err()
	case !n.asked && items() > 0:
		return 0, ErrNothingSent
	case n.rejected > 0:
		return int(min(n.rejected, int64(items()))), nil
	}
	return 0, nil
}
