package reader

import (
	"bytes"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// exchangeConn is a socket whose reader can exchange buffers with another reader.
type exchangeConn interface {
	// Wait returns when a datagram has come, or after Wake or Nudge.
	Wait() error
	Nudge() error
	// SetBuffers makes the next Read fill these buffers.
	SetBuffers(*socket.Buffers)
	// LastBuffers returns the buffers that the last Read has filled.
	LastBuffers() *socket.Buffers
}

// exchange is one reader's side of the exchange of read batches. All datagrams of one client socket reach the same reader.
// A hot reader, one that cannot keep up, hands over a full batch to a reader that waits, and gets that reader's empty batch in
// return. This is one exchange of pointers, so there are as many batches as readers, and no reader ever waits for another one.
//
// While a reader waits for its socket, its slot contains its empty batch. Otherwise the slot is nil. After a reader has stopped
// it never waits again, so it gets no more batches.
type exchange struct {
	conn      exchangeConn
	slot      atomic.Pointer[slotContent]
	batch     *readBatch // the batch whose buffers the Conn uses
	peers     []*Reader
	fullReads int // number of consecutive Reads that filled the buffers
}

// readBatch has the datagrams of one Read. Readers exchange it.
type readBatch struct {
	buffers   *socket.Buffers
	datagrams []socket.Datagram // in buffers
	at        int64             // time of receipt

	// A slot points to one of these two values, which never change. So a reader learns whether the batch in a slot is full
	// without reading the batch, which another reader may use by then.
	asEmpty, asFull slotContent
}

// slotContent is a batch in a slot.
type slotContent struct {
	*readBatch
	full bool
}

const (
	// hotReads is the number of consecutive full Reads after which a reader is hot. More datagrams than that do not gather
	// during a rest, so a reader that keeps up processes its batches itself, which costs less.
	hotReads = 32
	// minHandOverBytes is the smallest payload that is handed over. It is about 20 us of work, several times the cost of
	// waking another reader.
	minHandOverBytes = 16 << 10
)

// ConnectReaders lets readers hand over batches to each other, if their sockets support it. It must be called before their Run.
func ConnectReaders(readers []*Reader) {
	if len(readers) < 2 {
		return
	}
	for i, r := range readers {
		conn, ok := r.Conn.(exchangeConn)
		if !ok {
			return
		}
		b := &readBatch{buffers: conn.LastBuffers()}
		b.asEmpty, b.asFull = slotContent{b, false}, slotContent{b, true}
		r.exchange = &exchange{conn: conn, batch: b}
		r.exchange.peers = append(append(r.exchange.peers, readers[i+1:]...), readers[:i]...)
	}
}

// read is Conn.Read. While it waits it also receives batches that other readers hand over.
func (r *Reader) read() ([]socket.Datagram, error) {
	x := r.exchange
	if x == nil {
		return r.Conn.Read()
	}
	for {
		datagrams, err := r.Conn.Poll()
		if len(datagrams) > 0 || err != nil {
			return datagrams, err
		}
		x.slot.Store(&x.batch.asEmpty)
		err = x.conn.Wait()
		c := x.slot.Swap(nil)
		if c.full {
			x.setBatch(c.readBatch)
			r.receive(c.datagrams, c.at)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (x *exchange) setBatch(b *readBatch) {
	x.batch = b
	x.conn.SetBuffers(b.buffers)
}

// distribute receives a batch, or hands it over to a reader that waits.
func (r *Reader) distribute(datagrams []socket.Datagram) {
	x, now := r.exchange, r.Now()
	if len(datagrams) < r.ReadBatchSize {
		x.fullReads = 0
		r.receive(datagrams, now)
		return
	}
	if x.fullReads++; x.fullReads > hotReads {
		for _, peer := range x.peers {
			if c := peer.exchange.slot.Load(); c == nil || c.full {
				continue
			}
			if datagrams = r.receiveGauges(datagrams, now); payloadBytes(datagrams) < minHandOverBytes {
				break
			}
			if r.handOver(datagrams, now, peer) {
				return
			}
		}
	}
	r.receive(datagrams, now)
}

// handOver exchanges the batch of the last Read for the empty one of a peer that waits. It reports false if the peer does not
// wait any more.
func (r *Reader) handOver(datagrams []socket.Datagram, now int64, peer *Reader) bool {
	x, to := r.exchange, peer.exchange
	c := to.slot.Load()
	if c == nil || c.full {
		return false
	}
	x.batch.datagrams, x.batch.at = datagrams, now
	// Meanwhile the peer may have removed the empty batch and put it into the slot again. The exchange is correct then too.
	if !to.slot.CompareAndSwap(c, &x.batch.asFull) {
		return false
	}
	x.setBatch(c.readBatch)
	if err := to.conn.Nudge(); err != nil {
		r.OnError(err)
	}
	return true
}

func payloadBytes(datagrams []socket.Datagram) (n int) {
	for i := range datagrams {
		n += len(datagrams[i].Payload)
	}
	return n
}

// receiveGauges receives the datagrams that may contain a gauge and returns the others. The gauges of one client socket must stay
// in order. The order of all other values does not matter.
func (r *Reader) receiveGauges(datagrams []socket.Datagram, now int64) []socket.Datagram {
	rest := datagrams[:0]
	for i := range datagrams {
		if mayHaveGauge(datagrams[i].Payload) {
			r.receive(datagrams[i:i+1], now)
		} else {
			rest = append(rest, datagrams[i])
		}
	}
	return rest
}

// mayHaveGauge reports whether a payload contains "|g", with or without blanks before the g. Every line of a gauge does.
func mayHaveGauge(payload []byte) bool {
	for {
		_, after, found := bytes.Cut(payload, bar)
		if !found {
			return false
		}
		payload = after
		for len(after) > 0 && line.IsBlank(after[0]) {
			after = after[1:]
		}
		if len(after) > 0 && after[0] == 'g' {
			return true
		}
	}
}

var bar = []byte{'|'}
