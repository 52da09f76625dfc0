package fallbacklog

import (
	"context"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

// backend is an OTLP server over gRPC and HTTP. A test decides its answers. It keeps the names of the accepted items.
type backend struct {
	answer func(name string) error // for each item; nil: accept it; guarded by mu
	hang   chan struct{}           // if not nil, answers wait until it is closed; guarded by mu
	lost   error                   // error that senders get for accepted requests; guarded by mu
	mu     sync.Mutex
	took   map[string]int
	calls  int

	grpcAddr, httpURL string
}

func newBackend(t testing.TB) *backend {
	t.Helper()
	b := &backend{took: map[string]int{}}
	server := otlptest.Start(t, b.receive, otlptest.Options{})
	b.grpcAddr, b.httpURL = server.Addr, server.URL()
	t.Cleanup(b.release) // before the server stops
	return b
}

func (b *backend) set(answer func(string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

func (b *backend) refuse(c codes.Code) {
	b.set(func(string) error { return status.Error(c, "told to") })
}

// loseAnswers makes senders get an error for accepted requests, as if the answers came too late.
func (b *backend) loseAnswers(lost error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = lost
}

func (b *backend) holdAnswers() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hang = make(chan struct{})
}

func (b *backend) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hang != nil {
		close(b.hang)
		b.hang = nil
	}
}

func (b *backend) receive(ctx context.Context, r otlptest.Request) error {
	names := r.Names()
	b.mu.Lock()
	hang := b.hang
	b.calls++
	b.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range names {
		if b.answer == nil {
			break
		}
		if err := b.answer(n); err != nil {
			return err
		}
	}
	for _, n := range names {
		b.took[n]++
	}
	return b.lost
}

func (b *backend) names() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := make(map[string]int, len(b.took))
	for k, v := range b.took {
		m[k] = v
	}
	return m
}
