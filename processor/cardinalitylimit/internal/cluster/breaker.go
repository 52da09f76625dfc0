package cluster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
)

// maxMisses is the number of failures in a row that opens the breaker. While it is open, no batch waits for the store.
const maxMisses = 3

// breaker decides whether batches ask the store. It is closed in the state Joined and open otherwise.
type breaker struct {
	state  atomic.Int32 // State
	misses atomic.Int32 // failures in a row

	mu     sync.Mutex // guards changes of the state, and joined
	joined bool       // the state has been Joined since the start
}

// note counts the result of an exchange and reports whether it failed.
func (b *breaker) note(m *Gateway, err error) (failed bool) {
	if err == nil {
		b.misses.Store(0)
		return false
	}
	m.failed(err)
	return true
}

// noteExchange counts the result of calls about keys and reports whether one failed. If the keys are on several nodes, the
// failure of one node does not mean that the others fail. Then only heartbeats open the breaker.
func (m *Gateway) noteExchange(err error) (failed bool) {
	if err != nil && m.store.severalNodes() {
		m.counts.failures[reasonOf(err)].Add(1)
		return true
	}
	return m.breaker.note(m, err)
}

// failed counts a failure of the store.
func (m *Gateway) failed(err error) {
	if errors.Is(err, context.Canceled) && m.ctx.Err() != nil {
		return // this gateway shuts down
	}
	reason := reasonOf(err)
	m.counts.failures[reason].Add(1)
	b := &m.breaker
	if misses := b.misses.Add(1); misses < maxMisses && m.State() == Joined {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	state, was := Solo, m.State()
	if b.joined {
		state = Degraded
	}
	b.state.Store(int32(state))
	if text := reason.String(); was != state || m.loggedReason != text {
		m.loggedReason = text
		m.options.Log.Warn("The store of places does not answer: series keep their places, new ones get a share of the free places",
			zap.Stringer("state", state), zap.Stringer("reason", reason), zap.Error(err))
	}
}

// close closes the breaker, so that batches ask the store again.
func (b *breaker) close(m *Gateway) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.State() == Joined {
		return
	}
	b.joined, m.loggedReason = true, ""
	b.misses.Store(0)
	b.state.Store(int32(Joined))
	m.options.Log.Info("The store of places answers: the limits count for all gateways together",
		zap.Stringer("state", Joined), zap.Int64("gateways", m.gatewayCount.Load()))
}

// Reason is why an exchange with the store failed.
type Reason int

// Reasons.
const (
	ReasonTimeout    Reason = iota // it did not answer in time
	ReasonConnection               // it cannot be reached
	ReasonRefused                  // it answered with an error, such as a wrong password, no memory, or a read-only replica
	ReasonProtocol                 // its answer has not the form of the script's replies
	ReasonKey                      // it contains another type under the name of a key
	Reasons                        // number of reasons
)

var reasonNames = [Reasons]string{"timeout", "connection", "refused", "protocol", "key"}

func (r Reason) String() string { return reasonNames[r] }

func reasonOf(err error) Reason {
	switch _, refused := refusal(err); {
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	case errors.Is(err, errProtocol):
		return ReasonProtocol
	case isOfKey(err):
		return ReasonKey
	case refused:
		return ReasonRefused
	default:
		return ReasonConnection
	}
}
