package socket

import (
	"context"
	"fmt"
	"net"
)

// openUDP binds every address of the endpoint. The first socket of an address binds exclusively. So a port that another socket
// uses is an [InUseError], even if that socket would share the port. Then the other sockets of the address are bound.
func openUDP(ctx context.Context, s *Options) (*Group, error) {
	first, skipped, err := bindAll(ctx, s, listenAlone, (*net.UDPConn).LocalAddr)
	if err != nil {
		return nil, err
	}
	g := &Group{Skipped: skipped}
	for i, options := range optionsByAddress(first, s) {
		conns, err := openAddress(ctx, first[i], options)
		g.Conns = append(g.Conns, conns...)
		if err != nil {
			closeAll(first[i+1:])
			closeAll(g.Conns)
			return nil, err
		}
	}
	return g, nil
}

// optionsByAddress returns the settings of each address. The addresses of one family divide the family's sockets and buffer
// bytes among them. Each address has at least one socket.
func optionsByAddress(first []*net.UDPConn, s *Options) []*Options {
	byFamily := map[bool][]int{} // indexes of the addresses; true for IPv4
	for i, udp := range first {
		is4 := udp.LocalAddr().(*net.UDPAddr).IP.To4() != nil
		byFamily[is4] = append(byFamily[is4], i)
	}
	all := make([]*Options, len(first))
	for _, addresses := range byFamily {
		for nth, i := range addresses {
			options := *s
			options.Count = s.Count / len(addresses)
			if nth < s.Count%len(addresses) {
				options.Count++
			}
			if len(addresses) > s.Count {
				options.Count = 1
				options.BufferBytes = s.Count * s.BufferBytes / len(addresses)
			}
			all[i] = &options
		}
	}
	return all
}

// openAddress returns the sockets of one address. If it fails it closes first.
func openAddress(ctx context.Context, first *net.UDPConn, s *Options) ([]*Conn, error) {
	if s.Count > 1 {
		if err := allowJoining(first); err != nil {
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
		if next, err = listenJoining(ctx, s.Network, conns[0].LocalAddr().String()); err != nil {
			closeAll(conns)
			return nil, err
		}
	}
}

// listenAlone binds a socket exclusively.
func listenAlone(ctx context.Context, network, address string) (*net.UDPConn, error) {
	return listen(ctx, &net.ListenConfig{}, network, address)
}

// listenJoining binds a socket to a port that it shares with sockets bound before.
func listenJoining(ctx context.Context, network, address string) (*net.UDPConn, error) {
	return listen(ctx, &net.ListenConfig{Control: setReusePort}, network, address)
}

func listen(ctx context.Context, lc *net.ListenConfig, network, address string) (*net.UDPConn, error) {
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
