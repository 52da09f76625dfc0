package logtool

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// TargetOptions configure the target of a replay.
type TargetOptions struct {
	// Endpoint is grpc://host:port or grpcs://host:port (with TLS), or the base URL of OTLP over HTTP.
	Endpoint string
	Headers  map[string]string // sent with every request
	CAFile   string            // PEM; empty: the system's certificates
}

// Target is an OTLP server.
type Target struct {
	send  func(ctx context.Context, r otlpRequest) (answer, error)
	close func() error
}

// answer is a server's answer to a request that it accepted.
type answer struct {
	refusedItems int64 // items of the request that it refused
	message      string
}

// refusal is an error that another attempt would not change.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// NewTarget returns a target. It does not connect yet.
func NewTarget(opt TargetOptions) (*Target, error) {
	u, err := url.Parse(opt.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("endpoint: must be grpc://, grpcs://, http:// or https:// and host:port (got %q)", opt.Endpoint)
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if opt.CAFile != "" {
		pem, err := os.ReadFile(opt.CAFile)
		if err != nil {
			return nil, err
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: must contain PEM certificates (got %s)", opt.CAFile)
		}
	}
	switch u.Scheme {
	case "grpc":
		return grpcTarget(u.Host, insecure.NewCredentials(), opt.Headers)
	case "grpcs":
		return grpcTarget(u.Host, credentials.NewTLS(secure), opt.Headers)
	case "http", "https":
		transport := &http.Transport{TLSClientConfig: secure, Proxy: http.ProxyFromEnvironment}
		h := httpTarget{client: &http.Client{Transport: transport}, base: u, headers: opt.Headers}
		return &Target{send: h.send, close: func() error { transport.CloseIdleConnections(); return nil }}, nil
	}
	return nil, fmt.Errorf("endpoint: must be grpc://, grpcs://, http:// or https:// and host:port (got %q)", opt.Endpoint)
}

func grpcTarget(address string, c credentials.TransportCredentials, headers map[string]string) (*Target, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(c))
	if err != nil {
		return nil, err
	}
	return &Target{
		send: func(ctx context.Context, r otlpRequest) (answer, error) {
			a, err := r.overGRPC(metadata.NewOutgoingContext(ctx, metadata.New(headers)), conn)
			return a, judgeGRPC(err)
		},
		close: conn.Close,
	}, nil
}

// Close closes the connections.
func (t *Target) Close() error { return t.close() }

// refused reports whether an error is a refusal.
func refused(err error) bool {
	var r refusal
	return errors.As(err, &r)
}
