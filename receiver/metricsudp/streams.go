package metricsudp

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/stream"
)

// The values of framing.
const (
	framingNewline = "newline"
	framingLength  = "length"
)

const (
	defaultMaxConnections = 1024
	maxMaxConnections     = 65536
	defaultIdleTimeout    = 10 * time.Minute
)

// checkStream checks the keys that only stream transports have.
func (c *Config) checkStream(e *check.Errors) {
	e.That(!c.TLS.HasValue() || c.isTCP(), "tls", "left out unless transport is tcp, tcp4 or tcp6", "set")
	if !c.isStream() {
		const must = "left out unless transport is tcp, tcp4, tcp6 or unix"
		e.That(c.Framing == "", "framing", must, c.Framing)
		e.That(c.MaxConnections == nil, "max_connections", must, c.maxConnections())
		e.That(c.IdleTimeout == nil, "idle_timeout", must, c.idleTimeout())
		return
	}
	if c.Framing != "" {
		check.OneOf(e, "framing", c.Framing, framingNewline, framingLength)
	}
	check.Range(e, "max_connections", c.maxConnections(), 1, maxMaxConnections)
	check.NotNegative(e, "idle_timeout", c.idleTimeout())
	connections := int64(c.maxConnections())
	if connections > maxMaxConnections || c.MaxDatagramSize > maxDatagram {
		return
	}
	e.That(connections*int64(c.MaxDatagramSize) <= maxPayloadBytes, "max_connections",
		fmt.Sprintf("such that max_connections x max_datagram_size is at most %d bytes", maxPayloadBytes),
		product{connections, int64(c.MaxDatagramSize)})
}

// framing returns the framing. Unless configured, it is the framing of the Datadog clients: lengths over Unix sockets.
func (c *Config) framing() stream.Framing {
	if c.Framing == framingLength || c.Framing == "" && c.Transport == transportUnix {
		return stream.Length
	}
	return stream.Newline
}

func (c *Config) maxConnections() int {
	if c.MaxConnections == nil {
		return defaultMaxConnections
	}
	return *c.MaxConnections
}

func (c *Config) idleTimeout() time.Duration {
	if c.IdleTimeout == nil {
		return defaultIdleTimeout
	}
	return *c.IdleTimeout
}

// tlsConfig returns nil without TLS.
func (c *Config) tlsConfig(ctx context.Context) (*tls.Config, error) {
	if !c.TLS.HasValue() {
		return nil, nil
	}
	cfg, err := c.TLS.Get().LoadTLSConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	// StatsD clients never read. If a client closes the connection without reading a session ticket, its system resets the
	// connection, and lines that the server has not read yet are lost.
	cfg.SessionTicketsDisabled = true
	return cfg, nil
}
