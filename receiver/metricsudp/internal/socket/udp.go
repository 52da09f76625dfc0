package socket

import (
	"context"
	"fmt"
	"net"
)

// openUDP binds every address of the endpoint. The first socket of an address binds exclusively, so that a port that
// anyone holds is an [InUseError] even if that one would share it. Then the others of the address may join.
func openUDP(ctx context.Context, s *Settings) (*Group, error) {
	first, skipped, err := bindAll(ctx, s, listenAlone, (*net.UDPConn).LocalAddr)
	if err != nil {
		return nil, err
	}
	g := &Group{Skipped: skipped}
	for i, share := range shares(first, s) {
		conns, err := openShared(ctx, first[i], share)
		g.Conns = append(g.Conns, conns...)
		if err != nil {
			closeAll(first[i+1:])
			closeAll(g.Conns)
			return nil, err
		}
	}
	return g, nil
}

// shares returns the settings of each address. The addresses of one family divide its sockets and its buffer: each
// has at least one socket.
func shares(first []*net.UDPConn, s *Settings) []*Settings {
	ofFamily := map[bool][]int{} // indexes of the addresses, by whether they are of IPv4
	for i, udp := range first {
		is4 := udp.LocalAddr().(*net.UDPAddr).IP.To4() != nil
		ofFamily[is4] = append(ofFamily[is4], i)
	}
	all := make([]*Settings, len(first))
	for _, addresses := range ofFamily {
		for nth, i := range addresses {
			share := *s
			share.Count = s.Count / len(addresses)
			if nth < s.Count%len(addresses) {
				share.Count++
			}
			if len(addresses) > s.Count {
				share.Count = 1
				share.BufferBytes = s.Count * s.BufferBytes / len(addresses)
			}
			all[i] = &share
		}
	}
	return all
}

// openShared returns the sockets of one address. It closes first where it fails.
func openShared(ctx context.Context, first *net.UDPConn, s *Settings) ([]*Conn, error) {
	if s.Count > 1 {
		if err := admitOthers(first); err != nil {
			_ = first.Close()
			return nil, err
		}
	}
	conns := make([]*Conn, 0, s.Count)
	next := first
	for {
		c, err := newConn(next, s)
		if err != nil {
			_ = next.Close()
			closeAll(conns)
			return nil, err
		}
		if conns = append(conns, c); len(conns) == s.Count {
			return conns, nil
		}
		if next, err = listen(ctx, s.Network, conns[0].LocalAddr().String(), true); err != nil {
			closeAll(conns)
			return nil, err
		}
	}
}

func listenAlone(ctx context.Context, network, address string) (*net.UDPConn, error) {
	return listen(ctx, network, address, false)
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
