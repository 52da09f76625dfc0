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

// Conn is a socket, or a feed of stream connections; see [socket.Conn].
type Conn interface {
	Read() ([]socket.Datagram, error)
	Poll() ([]socket.Datagram, error)
	Wake() error
	Stats() (socket.Stats, error)
	Close() error
}

// Options of a reader.
type Options struct {
	Conn    Conn
	Table   *series.Table
	Allowed []netip.Prefix // ranges of allowed sources; empty: all sources
	// Now returns the time of receipt, in nanoseconds of a clock that all readers share. It is called once per Read.
	Now func() int64
	// OnError is called with errors of the socket. The reader continues after them.
	OnError func(error)

	// ReadBatchSize is the maximum number of datagrams that the Conn reads at once. After a Read of fewer datagrams the reader
	// sleeps for Rest, so that more of them gather. One system call and one wake-up per datagram cost several times what the
	// datagram's lines cost. Rest must be short compared with the time in which the receive buffer fills. With a Rest of 0 the
	// reader does not sleep.
	ReadBatchSize int
	Rest          time.Duration
}

// Reader moves datagrams from its Conn to its Table. While Run is running it owns the Conn's buffers and the Table.
type Reader struct {
	Options
	request  atomic.Uint32
	endPause chan struct{} // wakes a reader that pauses after an error
	retired  chan *series.Epoch
	exchange *exchange // nil if there is no other reader
}

// The requests to a reader. It answers them between two Reads.
const (
	noRequest uint32 = iota
	swapRequest
	stopRequest
)

// errorPause is the pause of a reader after an error of its socket.
const errorPause = 100 * time.Millisecond

// New returns a reader. Run must be called once.
func New(s Options) *Reader {
	return &Reader{Options: s, endPause: make(chan struct{}, 1), retired: make(chan *series.Epoch, 1)}
}

// Swap asks the reader to retire the present epoch, which Retired then delivers.
func (r *Reader) Swap() { r.send(swapRequest) }

// Stop asks the reader to read the datagrams in the socket, to retire the last epoch and to end.
func (r *Reader) Stop() { r.send(stopRequest) }

// Retired delivers one epoch for each Swap and Stop. The epoch must be merged before the next Swap or Stop.
func (r *Reader) Retired() <-chan *series.Epoch { return r.retired }

// Stats returns the statistics of the socket.
func (r *Reader) Stats() (socket.Stats, error) { return r.Conn.Stats() }

func (r *Reader) send(request uint32) {
	// The request is stored before the Wake, so that a reader whose wait the Wake ends finds it.
	r.request.Store(request)
	if err := r.Conn.Wake(); err != nil {
		r.OnError(err)
	}
	select {
	case r.endPause <- struct{}{}:
	default:
	}
}

// Run reads until Stop. The socket stays open.
func (r *Reader) Run() {
	for {
		datagrams, err := r.read()
		if err != nil && !errors.Is(err, socket.ErrWoken) {
			r.OnError(err)
			r.pause()
		}
		if r.exchange != nil {
			r.distribute(datagrams)
		} else {
			r.receive(datagrams, r.Now())
		}
		if n := len(datagrams); n > 0 && n < r.ReadBatchSize && r.Rest > 0 {
			time.Sleep(r.Rest)
		}
		switch r.request.Load() {
		case swapRequest:
			r.request.Store(noRequest)
			r.retired <- r.Table.Swap()
		case stopRequest:
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

// Allows reports whether a source is in one of the ranges. Without ranges it allows all sources.
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

// drain reads the datagrams that are in the socket when it begins. A sender that does not stop could extend it for ever, so
// drain ends after as many bytes as the receive buffer has room for.
func (r *Reader) drain() {
	budget, failures := drainBytes, 0
	if stats, err := r.Conn.Stats(); err == nil && stats.BufferBytes > 0 {
		budget = 2 * stats.BufferBytes
	}
	for budget > 0 {
		datagrams, err := r.Conn.Poll()
		if errors.Is(err, socket.ErrWoken) {
			continue // Stop itself has sent this Wake
		}
		if err != nil {
			r.OnError(err)
			if failures++; failures == drainFailures {
				return
			}
			continue // the socket reports a pending error before its datagrams
		}
		if len(datagrams) == 0 {
			return
		}
		r.receive(datagrams, r.Now())
		for i := range datagrams {
			budget -= max(len(datagrams[i].Payload), minCharge)
		}
	}
}

const (
	// drainBytes is the assumed size of a receive buffer whose size is unknown.
	drainBytes = 64 << 20
	// minCharge is a lower bound of the bytes that one datagram needs in a receive buffer. Linux also charges its bookkeeping,
	// about 500 bytes on 64-bit systems.
	minCharge = 256
	// drainFailures is the number of errors that end a drain.
	drainFailures = 3
)

func (r *Reader) pause() { wait.For(r.endPause, errorPause) }
