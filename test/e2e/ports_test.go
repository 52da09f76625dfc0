package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// ports returns port numbers for servers that listen later. They are below the system's range for outgoing connections, so that
// no connection uses one before its server listens. Each number is used once per run of the tests.
var ports = struct {
	sync.Mutex
	next int
}{next: firstPort + rand.IntN(lastPort-firstPort)}

const firstPort, lastPort = 10_000, 32_000

// freePort returns a port for which listen succeeds. listen must close what it opens.
func freePort(t *testing.T, listen func(address string) error) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	var err error
	for range lastPort - firstPort {
		if ports.next++; ports.next >= lastPort {
			ports.next = firstPort
		}
		address := fmt.Sprint("127.0.0.1:", ports.next)
		if err = listen(address); err == nil {
			return address
		}
	}
	require.NoError(t, err, "no port is free")
	return ""
}

// freeAddresses returns different TCP addresses on loopback that no process uses now.
func freeAddresses(t *testing.T, n int) []string {
	addresses := make([]string, n)
	for i := range addresses {
		addresses[i] = freePort(t, func(address string) error {
			l, err := net.Listen("tcp", address)
			if err == nil {
				err = l.Close()
			}
			return err
		})
	}
	return addresses
}

// freeUDPAddress returns one free UDP address.
func freeUDPAddress(t *testing.T) string {
	return freePort(t, func(address string) error {
		conn, err := net.ListenPacket("udp", address)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
}
