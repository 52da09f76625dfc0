// Package reader moves datagrams from a socket to a table.
package reader

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Conn is what a reader needs of a socket; see [socket.Conn].
type Conn interface {
	Read() ([]socket.Datagram, error)
	Poll() ([]socket.Datagram, error)
	Wake() error
	Stats() (socket.Stats, error)
	Close() error
}

// Settings of a reader.
type Settings struct {
	Conn    Conn
	Table   *series.Table
	Allowed []netip.Prefix // sources; empty: all
	// Now is the time of receipt in nanoseconds of a clock that all readers share.
	// It is read once a batch.
	Now func() int64
	// Report is told of errors of the socket, which do not end the reader.
	Report func(error)

	// Batch is the most datagrams that the Conn reads at once. After fewer the reader
	// rests, so that others gather: a system call and a wake-up for each datagram cost
	// several times what its lines cost. Rest must be short against the time in which
	// the receive buffer fills; 0 is none.
	Batch int
	Rest  time.Duration
}

// Reader owns its socket's buffers and its table while Run is running.
type Reader struct {
	Settings
	request atomic.Uint32
	kick    chan struct{} // wakes a reader that pauses after an error
	retired chan *series.Epoch
	share   *share // nil: there is no other reader
}

// What a reader is asked to do at the next boundary between two batches.
const (
	none uint32 = iota
	swap
	stop
)

// errorPause is how long a reader rests after an error of its socket.
const errorPause = 100 * time.Millisecond

// New returns a reader for which Run is to be called once.
func New(s Settings) *Reader {
	return &Reader{Settings: s, kick: make(chan struct{}, 1), retired: make(chan *series.Epoch, 1)}
}

// Swap asks for the present epoch; Retired delivers it.
func (r *Reader) Swap() { r.ask(swap) }

// Stop asks to read what the socket holds, to deliver the last epoch and to end.
func (r *Reader) Stop() { r.ask(stop) }

// Retired delivers one epoch for each Swap and Stop. It must be merged before the
// next is asked for.
func (r *Reader) Retired() <-chan *series.Epoch { return r.retired }

// Stats of the socket.
func (r *Reader) Stats() (socket.Stats, error) { return r.Conn.Stats() }

func (r *Reader) ask(what uint32) {
	// The request first: a reader that the Wake ends a wait of finds it.
	r.request.Store(what)
	if err := r.Conn.Wake(); err != nil {
		r.Report(err)
	}
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// Run reads until Stop. The socket stays open.
func (r *Reader) Run() {
	for {
		datagrams, err := r.read()
		if err != nil && !errors.Is(err, socket.ErrWoken) {
			r.Report(err)
			r.pause()
		}
		if r.share != nil {
			r.distribute(datagrams)
		} else {
			r.receive(datagrams, r.Now())
		}
		if n := len(datagrams); n > 0 && n < r.Batch && r.Rest > 0 {
			time.Sleep(r.Rest)
		}
		switch r.request.Load() {
		case swap:
			r.request.Store(none)
			r.retired <- r.Table.Swap()
		case stop:
			r.drain()
			r.retired <- r.Table.Swap()
			return
		}
	}
}

func (r *Reader) receive(datagrams []socket.Datagram, now int64) {
	for i := range datagrams {
		d := &datagrams[i]
		if !Allows(r.Allowed, d.Source) {
			r.Table.Denied()
			continue
		}
		r.Table.Datagram(d.Payload, d.Truncated, now, d.Source)
	}
}

// Allows reports whether a source is in one of the ranges. No range stands for all sources.
func Allows(ranges []netip.Prefix, source netip.Addr) bool {
	if len(ranges) == 0 {
		return true
	}
	for _, prefix := range ranges {
		if prefix.Contains(source) {
			return true
		}
	}
	return false
}

// drain reads what the socket held when it began. A sender that does not stop
// could keep it going for ever, so it ends after as much as the receive buffer can
// hold.
func (r *Reader) drain() {
	budget, failures := drainBytes, 0
	if stats, err := r.Conn.Stats(); err == nil && stats.BufferBytes > 0 {
		budget = 2 * stats.BufferBytes
	}
	for budget > 0 {
		datagrams, err := r.Conn.Poll()
		if errors.Is(err, socket.ErrWoken) {
			continue // the Wake of this very Stop
		}
		if err != nil {
			r.Report(err)
			if failures++; failures == drainFailures {
				return
			}
			continue // an error that was pending came before what the socket holds
		}
		if len(datagrams) == 0 {
			return
		}
		r.receive(datagrams, r.Now())
		for i := range datagrams {
			budget -= max(len(datagrams[i].Payload), leastCharge)
		}
	}
}

const (
	// drainBytes is assumed where the buffer's size is unknown.
	drainBytes = 64 << 20
	// leastCharge is less than what the shortest datagram takes of a receive buffer:
	// Linux charges its bookkeeping too, about 500 bytes on 64-bit systems.
	leastCharge = 256
	// drainFailures is how many errors end a drain.
	drainFailures = 3
)

func (r *Reader) pause() { wait.For(r.kick, errorPause) }
