package reader

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

const (
	testBatch = 4
	// testLines is the number of lines of 6 bytes per datagram with which three datagrams are handed over.
	testLines = minHandOverBytes/(testBatch-1)/6 + 1
)

// fullConn fills its present buffers like a socket, for a number of batches. If it overwrites a buffer that another reader reads,
// the race detector reports it.
type fullConn struct {
	name    string
	batches int    // remaining batches
	sent    int    // batches
	gauges  string // type of the gauges in the first datagram of each batch; "": no gauges

	buffers *socket.Buffers
	memory  *sync.Map // of all conns, by buffers: [][]byte

	waiting chan struct{} // receives an element when a Wait begins; nil if no test reads it
	nudged  chan struct{}
	woken   chan struct{}
}

var _ exchangeConn = (*fullConn)(nil)

func newFullConn(name string, memory *sync.Map) *fullConn {
	c := &fullConn{
		name: name, memory: memory, buffers: new(socketBuffers).buffers(), nudged: make(chan struct{}, 1), woken: make(chan struct{}, 1),
	}
	payloads := make([][]byte, testBatch)
	memory.Store(c.buffers, payloads)
	return c
}

// socketBuffers makes addresses of buffers differ. On some systems Buffers has no size.
type socketBuffers struct {
	socket.Buffers
	_ byte
}

func (b *socketBuffers) buffers() *socket.Buffers { return &b.Buffers }

func (c *fullConn) Poll() ([]socket.Datagram, error) {
	select {
	case <-c.woken:
		return nil, socket.ErrWoken
	default:
	}
	if c.batches == 0 {
		return nil, nil
	}
	c.batches--
	c.sent++
	all, _ := c.memory.Load(c.buffers)
	payloads := all.([][]byte)
	datagrams := make([]socket.Datagram, testBatch)
	for i := range payloads {
		text := strings.Repeat("a:1|c\n", testLines)
		if c.gauges != "" && i == 0 {
			text = fmt.Sprintf("%s:%d|%s\n%s:+1|%s", c.name, 10*c.sent, c.gauges, c.name, c.gauges)
		}
		payloads[i] = append(payloads[i][:0], text...)
		datagrams[i].Payload = payloads[i]
	}
	return datagrams, nil
}

func (c *fullConn) Read() ([]socket.Datagram, error) {
	for {
		datagrams, err := c.Poll()
		if len(datagrams) > 0 || err != nil {
			return datagrams, err
		}
		_ = c.Wait()
	}
}

func (c *fullConn) Wait() error {
	if c.waiting != nil {
		c.waiting <- struct{}{}
	}
	select {
	case <-c.nudged:
	case <-c.woken:
		_ = set(c.woken) // for Poll
	}
	return nil
}

func set(signal chan struct{}) error {
	select {
	case signal <- struct{}{}:
	default:
	}
	return nil
}

func (c *fullConn) Wake() error                  { return set(c.woken) }
func (c *fullConn) Nudge() error                 { return set(c.nudged) }
func (c *fullConn) LastBuffers() *socket.Buffers { return c.buffers }
func (c *fullConn) SetBuffers(b *socket.Buffers) { c.buffers = b }
func (c *fullConn) Stats() (socket.Stats, error) { return socket.Stats{BufferBytes: 1 << 40}, nil }
func (c *fullConn) Close() error                 { return nil }

// team has connected readers, and the results of their epochs.
type team struct {
	readers []*Reader
	conns   []*fullConn
	running sync.WaitGroup
	stats   []series.Stats // by reader
	gauges  map[string]float64
}

func newTeam(t *testing.T, n int) *team {
	t.Helper()
	team := &team{stats: make([]series.Stats, n), gauges: map[string]float64{}}
	registry := series.NewRegistry(series.Options{
		Limits:   line.Limits{NameBytes: 512, TagBytes: 512, MinRate: 1e-6},
		MaxBytes: 1 << 20, MaxSeries: 100, MaxAliases: 400, MaxTags: 10, Tables: n, ExpirySwaps: 1000, IntCounters: true,
	})
	memory := new(sync.Map)
	for i := range n {
		conn := newFullConn(fmt.Sprintf("g%d", i), memory)
		team.conns = append(team.conns, conn)
		var at int64
		team.readers = append(team.readers, New(Options{
			Conn: conn, Table: series.NewTable(registry), ReadBatchSize: testBatch,
			Now: func() int64 { at++; return at }, OnError: func(err error) { t.Error(err) },
		}))
	}
	ConnectReaders(team.readers)
	return team
}

// flush sends a request to all readers and merges the epochs that they retire.
func (m *team) flush(request func(*Reader)) {
	for _, r := range m.readers {
		request(r)
	}
	for i, r := range m.readers {
		e := <-r.Retired()
		m.stats[i].Datagrams += e.Stats.Datagrams
		m.stats[i].Lines[line.Counter] += e.Stats.Lines[line.Counter]
		m.stats[i].Lines[line.Gauge] += e.Stats.Lines[line.Gauge]
		e.Merge(func(s *series.Series, _ bool) {
			s.FinishMerge()
			if v, ok := s.Value().(*series.LastValue); ok {
				m.gauges[s.Metric.Name] = v.Gauge
			}
		})
	}
}

func (m *team) datagrams() (all uint64) {
	for i := range m.stats {
		all += m.stats[i].Datagrams
	}
	return all
}

// startSecond runs the second reader and returns when it waits.
func (m *team) startSecond() {
	m.conns[1].waiting = make(chan struct{})
	m.running.Go(m.readers[1].Run)
	<-m.conns[1].waiting
}

// stop ends the team. It reads and drops the elements that further Waits send.
func (m *team) stop() {
	for _, c := range m.conns {
		if c.waiting != nil {
			m.running.Go(func() { c.drainWaiting() })
		}
	}
	m.flush((*Reader).Stop)
	for _, c := range m.conns {
		if c.waiting != nil {
			close(c.waiting)
		}
	}
	m.running.Wait()
}

func (c *fullConn) drainWaiting() {
	for range c.waiting {
	}
}

// batch reads and distributes one batch with a reader that is not running.
func (m *team) batch(t *testing.T, i int) {
	t.Helper()
	m.conns[i].batches++
	datagrams, err := m.readers[i].read()
	require.NoError(t, err)
	m.readers[i].distribute(datagrams)
}

func TestHotReaderHandsOver(t *testing.T) {
	m := newTeam(t, 2)
	m.startSecond()
	mine, theirs := m.conns[0].LastBuffers(), m.readers[1].exchange.batch.buffers
	for range hotReads {
		m.batch(t, 0)
	}
	assert.Same(t, mine, m.conns[0].LastBuffers(), "it does the first itself")
	m.batch(t, 0)
	assert.Same(t, theirs, m.conns[0].LastBuffers(), "it has the buffers of the other now")
	<-m.conns[1].waiting // again: the batch was received
	m.batch(t, 0)
	assert.Same(t, mine, m.conns[0].LastBuffers(), "and its own again")
	m.running.Go(m.readers[0].Run)
	m.stop()
	assert.Equal(t, uint64(hotReads*testBatch), m.stats[0].Datagrams)
	assert.Equal(t, uint64(2*testBatch), m.stats[1].Datagrams)
}

// After a batch that is not full a reader is not hot any more, and processes its batches itself.
func TestShortBatchStays(t *testing.T) {
	m := newTeam(t, 2)
	m.startSecond()
	for range hotReads {
		m.batch(t, 0)
	}
	m.readers[0].distribute(datagrams("a:1|c").datagrams)
	m.batch(t, 0)
	m.running.Go(m.readers[0].Run)
	m.stop()
	assert.Zero(t, m.stats[1].Datagrams)
	assert.Equal(t, uint64((hotReads+1)*testBatch+1), m.stats[0].Datagrams)
}

// Batches that cost less than waking another reader are not handed over.
func TestSmallBatchesStay(t *testing.T) {
	m := newTeam(t, 2)
	m.startSecond()
	for range 2 * hotReads {
		m.readers[0].distribute(datagrams("a:1|c", "a:1|c", "a:1|c", "a:1|c").datagrams)
	}
	m.running.Go(m.readers[0].Run)
	m.stop()
	assert.Zero(t, m.stats[1].Datagrams)
	assert.Equal(t, uint64(2*hotReads*testBatch), m.stats[0].Datagrams)
}

// A busy reader gets no batch, whether it is hot or has a batch of another reader.
func TestBusyReadersAreLeftAlone(t *testing.T) {
	m := newTeam(t, 3)
	for range 2 * hotReads {
		m.batch(t, 0)
		m.batch(t, 1)
	}
	// The third reader has been handed a batch that it did not receive yet.
	third := m.readers[2].exchange
	handed := &third.batch.asFull
	third.slot.Store(handed)
	m.batch(t, 0)
	assert.Same(t, handed, third.slot.Load())
	third.slot.Store(nil)
	for _, r := range m.readers {
		m.running.Go(r.Run)
	}
	m.stop()
	assert.Equal(t, uint64((2*hotReads+1)*testBatch), m.stats[0].Datagrams)
	assert.Equal(t, uint64(2*hotReads*testBatch), m.stats[1].Datagrams)
	assert.Zero(t, m.stats[2].Datagrams)
}

// Gauges stay with the reader of their client socket, in order.
func TestGaugesStay(t *testing.T) {
	for _, kind := range []string{"g", " g", "\t\v g |@1"} {
		t.Run(kind, func(t *testing.T) {
			m := newTeam(t, 2)
			m.conns[0].gauges = kind
			m.startSecond()
			for range hotReads + 1 {
				m.batch(t, 0)
			}
			<-m.conns[1].waiting
			m.running.Go(m.readers[0].Run)
			m.stop()
			assert.Equal(t, uint64(testBatch-1), m.stats[1].Datagrams, "all of a batch but the one with the gauges")
			assert.Zero(t, m.stats[1].Lines[line.Gauge])
			assert.InDelta(t, 10*(hotReads+1)+1, m.gauges["g0"], 0)
		})
	}
}

// Each datagram is counted once and gauges are in order, for any exchange of batches and any time of a Swap or Stop.
func TestHandoverConserves(t *testing.T) {
	for _, readers := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(readers), func(t *testing.T) {
			const batches = 3 * hotReads
			for hot := 1; hot <= readers; hot++ {
				m := newTeam(t, readers)
				for i := range hot {
					m.conns[i].batches, m.conns[i].gauges = batches, "g"
				}
				for _, r := range m.readers {
					m.running.Go(r.Run)
				}
				for range hot { // the last flush, at Stop, finds some at work
					m.flush((*Reader).Swap)
				}
				m.stop()
				assert.Equal(t, uint64(hot*batches*testBatch), m.datagrams())
				var counters, gauges uint64
				for i := range m.stats {
					counters += m.stats[i].Lines[line.Counter]
					gauges += m.stats[i].Lines[line.Gauge]
				}
				assert.Equal(t, uint64(hot*batches*(testBatch-1)*testLines), counters)
				assert.Equal(t, uint64(hot*batches*2), gauges)
				for i := range hot {
					assert.InDelta(t, 10*batches+1, m.gauges[fmt.Sprintf("g%d", i)], 0)
				}
			}
		})
	}
}
