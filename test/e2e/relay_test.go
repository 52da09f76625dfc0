package e2e

import (
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// relay forwards datagrams from a client to the gateway and records them. So the test knows what the client has sampled,
// aggregated and packed, without its source.
type relay struct {
	address string
	in      *net.UDPConn
	out     net.Conn

	wire *wire // of the goroutine that closes done
	done chan struct{}
}

// relayReadBuffer is the receive buffer that the relay asks for. It keeps datagrams while the relay waits for a CPU.
const relayReadBuffer = 4 << 20

func startRelay(t *testing.T, gateway string) *relay {
	in, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	require.NoError(t, in.SetReadBuffer(relayReadBuffer))
	out, err := net.Dial("udp", gateway)
	require.NoError(t, err)
	r := &relay{address: in.LocalAddr().String(), in: in, out: out, wire: newWire(), done: make(chan struct{})}
	go r.run(t)
	t.Cleanup(func() {
		_ = in.Close()
		<-r.done
		_ = out.Close()
	})
	return r
}

func (r *relay) run(t *testing.T) {
	defer close(r.done)
	buffer := make([]byte, 65536)
	for {
		n, err := r.in.Read(buffer)
		if err == nil && string(buffer[:n]) != lastWord {
			_, err = r.out.Write(buffer[:n])
		}
		switch {
		case errors.Is(err, net.ErrClosed): // by the test's end
			return
		case err != nil:
			t.Errorf("between client and gateway: %v", err)
			return
		case string(buffer[:n]) == lastWord:
			return
		}
		r.wire.read(string(buffer[:n]))
	}
}

// lastWord ends a relay. No client sends it.
const lastWord = "relay: the end"

// finish returns what the client has put on the wire. The client must be done. Loopback delivers in order, so a last datagram
// after the client's ends the relay.
func (r *relay) finish(t *testing.T) *wire {
	t.Helper()
	conn, err := net.Dial("udp", r.address)
	require.NoError(t, err)
	defer conn.Close()
	eventually(t, "the relay ends", func() bool {
		_, err := conn.Write([]byte(lastWord)) // again, as a full socket buffer would drop it
		assert.NoError(t, err)
		select {
		case <-r.done:
			return true
		default:
			return false
		}
	})
	return r.wire
}
