package load

import (
	"net"
	"time"
)

// otlpConnection is a connection to the server that has one request at a time. The caller's goroutine writes the request and reads the
// answer. With the clients of net/http and gRPC, which pass both through goroutines of their own, a load needed as much CPU time as
// the gateway.
type otlpConnection struct {
	endpoint string // host:port
	protocol protocol

	conn     net.Conn // nil if none is open
	exchange exchange
	lastUsed time.Time
}

// protocol returns the exchange over a new connection.
type protocol func(conn net.Conn, host string) exchange

// exchange sends an encoded request and reads its answer. It reports whether the connection can be used again.
type exchange func(request []byte) (a answer, again bool)

var protocols = map[string]protocol{OTLPOverGRPC: newGRPCExchange, OTLPOverHTTP: newHTTPExchange}

// maxIdle is the time after which an idle connection is replaced: nothing reads the server's pings meanwhile, so the server may
// have closed it.
const maxIdle = 10 * time.Second

// send sends one request. Without an answer before the timeout, the request fails and the connection is closed.
func (c *otlpConnection) send(request []byte, timeout time.Duration) answer {
	now := time.Now()
	if c.conn != nil && now.Sub(c.lastUsed) > maxIdle {
		c.close()
	}
	if c.conn == nil && !c.open(timeout) {
		return failed
	}
	if err := c.conn.SetDeadline(now.Add(timeout)); err != nil {
		c.close()
		return failed
	}
	a, again := c.exchange(request)
	if c.lastUsed = time.Now(); !again {
		c.close()
	}
	return a
}

func (c *otlpConnection) open(timeout time.Duration) bool {
	conn, err := net.DialTimeout("tcp", c.endpoint, timeout)
	if err != nil {
		return false
	}
	c.conn, c.exchange = conn, c.protocol(conn, c.endpoint)
	return true
}

func (c *otlpConnection) close() {
	if c.conn != nil {
		_ = c.conn.Close() // no request is in flight
		c.conn, c.exchange = nil, nil
	}
}
