package reader

import (
	"bytes"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Sharer is what readers that help each other need of their sockets.
type Sharer interface {
	Conn
	// Wait returns when there is something to read, or after Wake or Nudge.
	Wait() error
	Nudge() error
	// Exchange has the next Read use other buffers than Held ones.
	Exchange(*socket.Buffers)
	Held() *socket.Buffers
}

// share is a reader's part in a group whose members take work from each other.
//
// One client socket reaches one reader. A reader that is hot hands a whole batch to
// one that waits: its full buffers for the other's empty ones, in one exchange of
// pointers. So there are as many buffers as readers, whoever has them, and no
// reader ever waits for another.
//
// While a reader waits for its socket the slot holds its empty batch; otherwise it
// holds nothing. A reader that stopped never waits again.
type share struct {
	conn  Sharer
	slot  atomic.Pointer[parcel]
	batch *batch // whose buffers the Conn has
	peers []*Reader
	full  int // full batches in a row
}

// batch goes from reader to reader.
type batch struct {
	buffers   *socket.Buffers
	datagrams []socket.Datagram // in buffers
	at        int64             // time of receipt

	// A slot holds a batch by one of these, which never change: who looks at a
	// parcel learns whether it is full without looking at the batch, which may be
	// in use by then.
	asEmpty, asFull parcel
}

type parcel struct {
	*batch
	full bool
}

const (
	// hotBatches full ones in a row make a reader hot: more than gather while it
	// rests, so that one that keeps up does its work itself, for less.
	hotBatches = 32
	// leastBytes of a batch are about 20 us of work, several times what it takes to
	// wake another reader.
	leastBytes = 16 << 10
)

// Share has readers help each other, if their sockets can. It is called before
// their Run.
func Share(readers []*Reader) {
	if len(readers) < 2 {
		return
	}
	for i, r := range readers {
		conn, ok := r.Conn.(Sharer)
		if !ok {
			return
		}
		b := &batch{buffers: conn.Held()}
		b.asEmpty, b.asFull = parcel{b, false}, parcel{b, true}
		r.share = &share{conn: conn, batch: b}
		r.share.peers = append(append(r.share.peers, readers[i+1:]...), readers[:i]...)
	}
}

// read is Conn.Read that takes a batch of another reader meanwhile.
func (r *Reader) read() ([]socket.Datagram, error) {
	s := r.share
	if s == nil {
		return r.Conn.Read()
	}
	for {
		datagrams, err := r.Conn.Poll()
		if len(datagrams) > 0 || err != nil {
			return datagrams, err
		}
		s.slot.Store(&s.batch.asEmpty)
		err = s.conn.Wait()
		p := s.slot.Swap(nil)
		if p.full {
			s.take(p.batch)
			r.receive(p.datagrams, p.at)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (s *share) take(b *batch) {
	s.batch = b
	s.conn.Exchange(b.buffers)
}

// distribute receives a batch, or hands it to a reader that waits.
func (r *Reader) distribute(datagrams []socket.Datagram) {
	s, now := r.share, r.Now()
	if len(datagrams) < r.Batch {
		s.full = 0
		r.receive(datagrams, now)
		return
	}
	if s.full++; s.full > hotBatches {
		for _, peer := range s.peers {
			if p := peer.share.slot.Load(); p == nil || p.full {
				continue
			}
			if datagrams = r.receiveGauges(datagrams, now); bytesOf(datagrams) < leastBytes {
				break
			}
			if r.hand(datagrams, now, peer) {
				return
			}
		}
	}
	r.receive(datagrams, now)
}

// hand exchanges the batch read last for the empty one of a peer that waits.
func (r *Reader) hand(datagrams []socket.Datagram, now int64, peer *Reader) bool {
	s, to := r.share, peer.share
	p := to.slot.Load()
	if p == nil || p.full {
		return false
	}
	s.batch.datagrams, s.batch.at = datagrams, now
	// It may have been taken back and put there again meanwhile: it is empty as well.
	if !to.slot.CompareAndSwap(p, &s.batch.asFull) {
		return false
	}
	s.take(p.batch)
	if err := to.conn.Nudge(); err != nil {
		r.Report(err)
	}
	return true
}

func bytesOf(datagrams []socket.Datagram) (n int) {
	for i := range datagrams {
		n += len(datagrams[i].Payload)
	}
	return n
}

// gaugeMark is in every line of a gauge.
var gaugeMark = []byte("|g")

// receiveGauges receives the datagrams that may hold a gauge and returns the others.
// Those of one client socket have to stay in order; all other values commute.
func (r *Reader) receiveGauges(datagrams []socket.Datagram, now int64) []socket.Datagram {
	rest := datagrams[:0]
	for i := range datagrams {
		if bytes.Contains(datagrams[i].Payload, gaugeMark) {
			r.receive(datagrams[i:i+1], now)
		} else {
			rest = append(rest, datagrams[i])
		}
	}
	return rest
}
