package metricsudp

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// The values of transport.
const (
	transportUDP      = "udp"
	transportUDP4     = "udp4"
	transportUDP6     = "udp6"
	transportTCP      = "tcp"
	transportTCP4     = "tcp4"
	transportTCP6     = "tcp6"
	transportUnixgram = socket.Unixgram // datagrams
	transportUnix     = socket.Unix     // streams
)

const (
	defaultEndpoint = "localhost:8125"
	// The next two defaults are those of contrib's statsd receiver.
	defaultSocket      = "/var/run/statsd-receiver.sock"
	defaultPermissions = 0o622 // every user may send
	maxPermissions     = 0o777
)

// endpoint returns the address or path to listen on. The default endpoint is an address, so a Unix socket has another default.
func (c *Config) endpoint() string {
	if c.isUnix() && c.Endpoint == defaultEndpoint {
		return defaultSocket
	}
	return c.Endpoint
}

// permissions returns the configured file mode as an int. Validate must see every value, and an fs.FileMode of 32 bits would wrap.
func (c *Config) permissions() int {
	if c.SocketPermissions == nil {
		return defaultPermissions
	}
	return *c.SocketPermissions
}

func (c *Config) isUnix() bool {
	return c.Transport == transportUnixgram || c.Transport == transportUnix
}

func (c *Config) isTCP() bool { return strings.HasPrefix(c.Transport, transportTCP) }

// isStream reports whether senders have connections.
func (c *Config) isStream() bool { return c.isTCP() || c.Transport == transportUnix }

// checkTransport checks transport and the keys that only some transports have.
func (c *Config) checkTransport(e *check.Errors) {
	ip := []string{transportUDP, transportUDP4, transportUDP6, transportTCP, transportTCP4, transportTCP6}
	if !socket.HasUnix && c.isUnix() {
		e.That(false, "transport", "one of "+strings.Join(ip, ", ")+", as this system has no Unix sockets", c.Transport)
		return
	}
	check.OneOf(e, "transport", c.Transport, append(ip, transportUnixgram, transportUnix)...)
	if c.isUnix() {
		c.checkUnix(e)
	} else {
		c.checkIP(e)
	}
	c.checkStream(e)
}

func (c *Config) checkIP(e *check.Errors) {
	_, port, err := net.SplitHostPort(c.Endpoint)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	e.That(err == nil, "endpoint", "host:port", c.Endpoint)
	for i, cidr := range c.AllowedCIDRs {
		_, err := parseCIDR(cidr)
		e.That(err == nil, check.Item("allowed_cidrs", i), "an address range such as 10.0.0.0/8", cidr)
	}
	e.That(c.SocketPermissions == nil, "socket_permissions", "left out unless transport is unixgram or unix", octal(c.permissions()))
}

func (c *Config) checkUnix(e *check.Errors) {
	path := c.endpoint()
	named := path != "" && path != "@" && !strings.ContainsRune(path, 0)
	e.That(named && len(path) <= socket.MaxPath, "endpoint", fmt.Sprintf("a path of at most %d bytes", socket.MaxPath), path)
	if c.Transport == transportUnixgram {
		e.That(c.Readers <= 1, "readers", "1 or left out, as a Unix socket is not shared", c.Readers)
	}
	e.That(len(c.AllowedCIDRs) == 0, "allowed_cidrs", "left out, as the senders to a Unix socket have no address", c.AllowedCIDRs)
	e.That(c.Origin != originIP, "origin", "none, container or left out, as the senders to a Unix socket have no address", c.Origin)
	mode := c.permissions()
	e.That(mode >= 0 && mode <= maxPermissions, "socket_permissions", "an octal file mode from 0 to 0777", octal(mode))
}

// octal is printed in the notation of chmod.
type octal int

func (m octal) String() string { return fmt.Sprintf("%#o", int(m)) }

// allowed returns the ranges of allowed sources. It is empty if all sources are allowed.
func (c *Config) allowed() ([]netip.Prefix, error) {
	ranges := make([]netip.Prefix, 0, len(c.AllowedCIDRs))
	for _, cidr := range c.AllowedCIDRs {
		r, err := parseCIDR(cidr)
		if err != nil {
			return nil, fmt.Errorf("allowed_cidrs: %w", err)
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// parseCIDR converts a range of IPv4-mapped addresses to a range of IPv4, because sources are never IPv4-mapped. A wider range
// around the IPv4-mapped addresses is an error.
func parseCIDR(cidr string) (netip.Prefix, error) {
	const mapped = 96 // bits before the IPv4 address
	r, err := netip.ParsePrefix(cidr)
	if err != nil || !r.Addr().Is4In6() {
		return r, err
	}
	if r.Bits() < mapped {
		return r, fmt.Errorf("%s is neither a range of IPv4 nor one of IPv6", cidr)
	}
	return netip.PrefixFrom(r.Addr().Unmap(), r.Bits()-mapped), nil
}
