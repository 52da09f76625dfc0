package metricsudp

import (
	"slices"
	"sync"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/flush"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// publishedTotals has the counts of the receiver's metrics, for the gateway page. It is safe for concurrent use.
type publishedTotals struct {
	mu       sync.Mutex
	udp      gatewaystate.UDP
	rejected [line.Reasons]int64
}

func (t *publishedTotals) add(f *flush.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, udp := &f.Stats, &t.udp
	udp.Datagrams += int64(s.Datagrams)
	udp.Bytes += int64(s.Bytes)
	udp.KernelDrops += int64(f.KernelDrops)
	udp.Denied += int64(s.Denied)
	udp.Truncated += int64(s.Truncated)
	udp.Overflowed += int64(s.Overflowed)
	udp.Dropped += int64(s.DroppedPoints)
	for _, n := range s.Lines {
		udp.Lines += int64(n)
	}
	for reason, n := range s.Rejected {
		t.rejected[reason] += int64(n)
	}
	udp.Series, udp.BufferBytes = int64(f.Series), int64(f.BufferBytes)
	udp.Readers = udp.Readers[:0]
	for _, n := range f.Readers {
		udp.Readers = append(udp.Readers, int64(n))
	}
}

func (t *publishedTotals) state() *gatewaystate.UDP {
	t.mu.Lock()
	defer t.mu.Unlock()
	udp := t.udp
	udp.Readers = slices.Clone(udp.Readers)
	for reason, n := range t.rejected {
		if n > 0 {
			udp.Rejected = append(udp.Rejected, gatewaystate.Count{Reason: line.Reason(reason).String(), Items: n})
		}
	}
	return &udp
}

// GatewayState implements gatewaystate.Source.
func (r *udpReceiver) GatewayState() gatewaystate.State {
	udp := r.report.published.state()
	udp.Endpoints, udp.Transport = slices.Clone(r.endpoints), r.cfg.Transport
	return gatewaystate.State{Component: r.set.ID.String(), UDP: udp}
}
