package socket

import (
	"context"
	"fmt"
	"net"
)

// openUDP binds the first socket exclusively, so that a port that anyone holds is an
// [InUseError] even if that one would share it, and then lets the others in.
func openUDP(ctx context.Context, s *Settings) ([]*Conn, error) {
	conns := make([]*Conn, 0, s.Count)
	closeAll := func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}
	address := s.Address
	for i := range s.Count {
		udp, err := listen(ctx, s.Network, address, i > 0)
		if err != nil {
			closeAll()
			return nil, err
		}
		if i == 0 && s.Count > 1 {
			address = udp.LocalAddr().String()
			err = admitOthers(udp)
		}
		var c *Conn
		if err == nil {
			c, err = newConn(udp, s)
		}
		if err != nil {
			_ = udp.Close()
			closeAll()
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// listen binds one socket, to share the port with those already bound or not.
func listen(ctx context.Context, network, address string, share bool) (*net.UDPConn, error) {
	var lc net.ListenConfig
	if share {
		lc.Control = setReusePort
	}
	pc, err := lc.ListenPacket(ctx, network, address)
	if err != nil {
		if isInUse(err) {
			return nil, &InUseError{Address: address, Err: err}
		}
		return nil, fmt.Errorf("listen on %s %s: %w", network, address, err)
	}
	udp, ok := pc.(*net.UDPConn)
	if !ok {
		_ = pc.Close()
		return nil, fmt.Errorf("listen on %s %s: not a UDP socket: %T", network, address, pc)
	}
	return udp, nil
}
