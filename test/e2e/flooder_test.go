package e2e

import (
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/ipv4"
)

// flooder sends noise from several sockets, so that every reader receives some, and keeps a ledger of it.
type flooder struct {
	t       *testing.T
	address string
	random  *rand.Rand
	sockets []*net.UDPConn
	next    int // socket

	datagrams, lines, bytes int
}

// flooderSockets is the number of sockets. With so many, each of a few readers receives from some of them, for any hash of the
// kernel.
const flooderSockets = 16

func newFlooder(t *testing.T, address string) *flooder {
	f := &flooder{t: t, address: address, random: rand.New(rand.NewPCG(1, 2)), sockets: make([]*net.UDPConn, flooderSockets)}
	for i := range f.sockets {
		f.renew(i)
	}
	t.Cleanup(func() {
		for _, s := range f.sockets {
			_ = s.Close()
		}
	})
	return f
}

// renew gives a socket another source port.
func (f *flooder) renew(i int) {
	if f.sockets[i] != nil {
		_ = f.sockets[i].Close() // what was sent has left
	}
	conn, err := net.Dial("udp", f.address)
	require.NoError(f.t, err)
	f.sockets[i] = conn.(*net.UDPConn)
}

// sendFor sends for a time, as fast as the kernel accepts datagrams.
func (f *flooder) sendFor(n noise, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		f.send(n, 64)
	}
}

// sendPaced sends a number of datagrams slowly enough for the receiver: at most about 16 MB/s.
func (f *flooder) sendPaced(n noise, datagrams int) {
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for end := f.datagrams + datagrams; f.datagrams < end; <-tick.C {
		for before := f.bytes; f.bytes-before < 64<<10 && f.datagrams < end; {
			f.send(n, 1)
		}
	}
}

// send sends a batch from one socket.
func (f *flooder) send(n noise, batch int) {
	f.next = (f.next + 1) % len(f.sockets)
	if n.name == "origins" {
		f.renew(f.next)
	}
	messages := make([]ipv4.Message, batch)
	for i := range messages {
		messages[i].Buffers = [][]byte{n.next(f.random, make([]byte, 0, packed))}
	}
	conn := ipv4.NewPacketConn(f.sockets[f.next])
	for len(messages) > 0 {
		sent, err := conn.WriteBatch(messages, 0)
		require.NoError(f.t, err)
		for _, m := range messages[:sent] {
			f.datagrams++
			f.bytes += len(m.Buffers[0])
			f.lines += countLines(m.Buffers[0])
		}
		messages = messages[sent:]
	}
}
