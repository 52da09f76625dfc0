//go:build linux

package bench

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sysctl reads a number under net.core. It returns 0 if the file does not exist.
func sysctl(name string) int {
	text, err := os.ReadFile("/proc/sys/net/core/" + name)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// defaultBuffer is the value of SO_RCVBUF of a socket without a setting.
func defaultBuffer() int { return sysctl("rmem_default") }

// largeBuffer is the value of SO_RCVBUF of a socket with a setting of 8 MiB, or of the largest allowed one.
func largeBuffer() int { return 2 * min(8<<20, sysctl("rmem_max")) }

// checkReceiveBuffers returns an error unless all sockets of this process have that receive buffer.
func checkReceiveBuffers(want int) error {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	sockets := 0
	for _, f := range files {
		fd, err := strconv.Atoi(f.Name())
		if err != nil {
			return err
		}
		family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil || family != unix.AF_INET && family != unix.AF_INET6 {
			continue // not an IP socket
		}
		got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("receive buffer: must be %d (got %d)", want, got)
		}
		sockets++
	}
	if sockets == 0 {
		return fmt.Errorf("receive buffer: must be that of an open socket (got none)")
	}
	return nil
}

// kernelDrops returns the number of datagrams that the kernel dropped because the receive buffers of this port were full.
func kernelDrops(endpoint string) (drops uint64, err error) {
	_, port, err := net.SplitHostPort(endpoint)
	if err != nil {
		return 0, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0, err
	}
	table, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		return 0, err
	}
	local := fmt.Sprintf(":%04X", number)
	for row := range strings.Lines(string(table)) {
		fields := strings.Fields(row)
		if len(fields) < 13 || !strings.HasSuffix(fields[1], local) {
			continue
		}
		n, err := strconv.ParseUint(fields[12], 10, 64)
		if err != nil {
			return 0, err
		}
		drops += n
	}
	return drops, nil
}

type usage struct {
	cpu     time.Duration // user and system, without children
	peakRSS int           // KiB
}

func usageOfSelf() (usage, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return usage{}, err
	}
	return usage{time.Duration(u.Utime.Nano() + u.Stime.Nano()), int(u.Maxrss)}, nil
}

func kernelRelease() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return "of an unknown release"
	}
	return unix.ByteSliceToString(name.Release[:])
}
