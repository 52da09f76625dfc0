//go:build linux

package bench

import (
	"net"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// floor reads datagrams one by one and discards them. It measures the cost of the socket alone for a program that uses
// net.PacketConn.
type floor struct {
	conn net.PacketConn
	read atomic.Uint64
}

func startFloor(j job) (subject, error) {
	conn, err := net.ListenPacket(j.Network, j.Endpoint)
	if err != nil {
		return nil, err
	}
	f := &floor{conn: conn}
	go f.run()
	return f, nil
}

// run reads until the socket is closed.
func (f *floor) run() {
	buffer := make([]byte, load.MaxPayloadBytes)
	for {
		if _, _, err := f.conn.ReadFrom(buffer); err != nil {
			return
		}
		f.read.Add(1)
	}
}

func (f *floor) complete(sent load.Ledger) bool { return f.read.Load() >= sent.Datagrams }

func (f *floor) lost(sent load.Ledger) (float64, error) {
	return lostShare(float64(sent.Datagrams), float64(f.read.Load())), nil
}

func (f *floor) stop() error { return f.conn.Close() }
