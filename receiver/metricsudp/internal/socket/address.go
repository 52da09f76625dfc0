package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// Resolver looks a host name up, as [net.Resolver] does. The network is ip, ip4 or ip6.
type Resolver func(ctx context.Context, network, host string) ([]netip.Addr, error)

// bindTarget is one address to bind. If a name was resolved, the network is that of the address family, such as udp4.
type bindTarget struct{ network, address string }

// bindTargets returns all addresses of the host name in Options.Address. An IP address is returned unchanged, and so is an
// empty host, which is the wildcard of both families.
func (s *Options) bindTargets(ctx context.Context) ([]bindTarget, error) {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return []bindTarget{{s.Network, s.Address}}, nil
	}
	protocol := strings.TrimRight(s.Network, "46") // udp of udp4
	lookup := s.Resolve
	if lookup == nil {
		lookup = net.DefaultResolver.LookupNetIP
	}
	addrs, err := lookup(ctx, "ip"+strings.TrimPrefix(s.Network, protocol), host)
	if err != nil {
		return nil, err
	}
	var targets []bindTarget
	known := map[netip.Addr]bool{}
	for _, addr := range addrs {
		addr = addr.Unmap()
		if known[addr] {
			continue
		}
		known[addr] = true
		family := "6"
		if addr.Is4() {
			family = "4"
		}
		targets = append(targets, bindTarget{protocol + family, net.JoinHostPort(addr.String(), port)})
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	return targets, nil
}

// portAttempts bounds the number of ports that are tried until one is free at every address.
const portAttempts = 16

// bindAll calls bind for every address of the endpoint. It skips an address that the host does not have, such as one of IPv6 if
// IPv6 is switched off, and returns it as text with its error. Any other error ends bindAll, and so does an endpoint without any
// address of this host. For port 0 it uses the same free port at all addresses.
func bindAll[B io.Closer](
	ctx context.Context, s *Options,
	bind func(ctx context.Context, network, address string) (B, error), local func(B) net.Addr,
) (all []B, skipped []string, err error) {
	targets, err := s.bindTargets(ctx)
	if err != nil {
		return nil, nil, err
	}
	for range portAttempts {
		all, skipped, err = bindTargetsOnce(ctx, targets, bind, local)
		// The port that the kernel chose for the first address may be in use at the next one.
		var inUse *InUseError
		if !s.anyPort() || !errors.As(err, &inUse) {
			break
		}
	}
	return all, skipped, err
}

// anyPort reports whether the kernel chooses the port.
func (s *Options) anyPort() bool {
	_, port, err := net.SplitHostPort(s.Address)
	n, notNumber := strconv.Atoi(port)
	return err == nil && notNumber == nil && n == 0
}

func bindTargetsOnce[B io.Closer](
	ctx context.Context, targets []bindTarget,
	bind func(ctx context.Context, network, address string) (B, error), local func(B) net.Addr,
) (all []B, skipped []string, err error) {
	var missing []error
	for _, target := range targets {
		address := target.address
		if len(all) > 0 {
			address = withPortOf(local(all[0]), address)
		}
		b, err := bind(ctx, target.network, address)
		switch {
		case err == nil:
			all = append(all, b)
		case isNotOfThisHost(err):
			missing = append(missing, err)
			skipped = append(skipped, target.address+": "+cause(err))
		default:
			closeAll(all)
			return nil, nil, err
		}
	}
	if len(all) == 0 {
		return nil, nil, errors.Join(missing...)
	}
	return all, skipped, nil
}

// cause returns the system's part of an error. The other parts repeat the address.
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

func withPortOf(local net.Addr, address string) string {
	_, port, err := net.SplitHostPort(local.String())
	host, _, _ := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return net.JoinHostPort(host, port)
}

func closeAll[C io.Closer](all []C) {
	for _, c := range all {
		_ = c.Close()
	}
}
