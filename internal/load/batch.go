package load

import (
	"net"

	"golang.org/x/net/ipv4"
)

// batchWriter sends messages in order and returns how many it sent.
type batchWriter interface {
	WriteBatch(messages []ipv4.Message, flags int) (int, error)
}

func batchWriterTo(socket net.Conn) batchWriter {
	if udp, ok := socket.(*net.UDPConn); ok {
		return ipv4.NewPacketConn(udp) // for sendmmsg, which works for any address family on a connected socket
	}
	return oneByOne{socket}
}

// oneByOne sends one message per call to the kernel, over sockets that x/net does not support.
type oneByOne struct{ net.Conn }

func (o oneByOne) WriteBatch(messages []ipv4.Message, _ int) (int, error) {
	for i, m := range messages {
		if _, err := o.Write(m.Buffers[0]); err != nil {
			return i, err
		}
	}
	return len(messages), nil
}
