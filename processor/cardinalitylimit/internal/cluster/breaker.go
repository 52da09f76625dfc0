package cluster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/valkey-io/valkey-go"
	"go.uber.org/zap"
)

// maxMisses in a row open the breaker: from then on nobody waits for the store.
const maxMisses = 3

// breaker decides whether batches ask the store.
type breaker struct {
	state  atomic.Int32 // State
	misses atomic.Int32 // in a row

	mu     sync.Mutex // guards changes of the state, and joined
	joined bool       // has been, since the start
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

// noteExchange counts the result of calls about keys and reports whether one failed. Where the keys are spread over
// several nodes, a failure says nothing of the others: then heartbeats alone open the breaker.
func (m *Gateway) noteExchange(err error) (failed bool) {
	if err != nil && m.store.spread.Load() {
		m.counts.failures[reasonOf(err)].Add(1)
		return true
	}
	return m.breaker.note(m, err)
}

// failed counts a failure of the store.
func (m *Gateway) failed(err error) {
	if errors.Is(err, context.Canceled) && m.ctx.Err() != nil {
		return // we are leaving
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
	if complaint := reason.String(); was != state || m.complaint != complaint {
		m.complaint = complaint
		m.options.Log.Warn("The store of places does not answer: who has a place keeps it, new series get a share of what is free",
			zap.Stringer("state", state), zap.Stringer("reason", reason), zap.Error(err))
	}
}

// close lets batches ask the store again.
func (b *breaker) close(m *Gateway) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.State() == Joined {
		return
	}
	b.joined, m.complaint = true, ""
	b.misses.Store(0)
	b.state.Store(int32(Joined))
	m.options.Log.Info("The store of places answers: the limits count for all gateways together",
		zap.Stringer("state", Joined), zap.Int64("gateways", m.crowd.Load()))
}

// Reason is why an exchange with the store failed.
type Reason int

// Reasons.
const (
	ReasonTimeout    Reason = iota // it did not answer in time
	ReasonConnection               // it cannot be reached
	ReasonRefused                  // it answered with an error: a password, memory, a replica that cannot be written
	ReasonProtocol                 // it answered something else than the script
	ReasonKey                      // another type is stored under a key's name
	Reasons
)

var reasonNames = [Reasons]string{"timeout", "connection", "refused", "protocol", "key"}

func (r Reason) String() string { return reasonNames[r] }

func reasonOf(err error) Reason {
	switch _, answered := valkey.IsValkeyErr(err); {
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	case errors.Is(err, errProtocol) || valkey.IsParseErr(err):
		return ReasonProtocol
	case isOfKey(err):
		return ReasonKey
	case answered:
		return ReasonRefused
	default:
		return ReasonConnection
	}
}
