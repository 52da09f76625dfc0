package delivery

import (
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

const (
	// poisonFailures is how often a record must fail alone, while others pass, to count as the cause.
	poisonFailures = 3
	// The retries of a record that was refused as one batch or all. The third refusal is poison, and comes a minute after
	// the first at least.
	refusedRetry  = 20 * time.Second
	refusedMinute = 60 * time.Second
	// maxRetry bounds the pauses between the attempts of a record that fails while others pass.
	maxRetry = 10 * time.Second
)

// pending is a record that replay has read and not settled. It is decoded only to be sent: in memory it is its line.
type pending struct {
	entry    segment.Entry
	number   uint64 // counts the records read
	items    int
	written  time.Time
	attempts int
	metadata map[string][]string

	out  bool // the replayer has it: it is sent, judged or written off; guarded by window.mu
	gone bool // log::on_full has dropped its segment meanwhile; guarded by window.mu
	// retryAt is before when the record is passed over; zero: its turn is the window's affair. Guarded by window.mu.
	retryAt time.Time

	// share is how many records it may go out with, itself included, since they have failed together; 0: any number.
	share int
	// seen is the lane's count of deliveries at the last failure; failed is false before the first one.
	seen   uint64
	failed bool
	// failedBefore: a request with the record in it has failed, alone or with others, for whatever reason.
	failedBefore bool
	// alone counts failures alone: in strict order all, else those while nine of the last ten other requests passed.
	alone        int
	counted      bool // the breaker has counted it
	refusals     int  // alone
	firstRefusal time.Time
	// passedBy counts the later records that were delivered in strict order since this one failed alone.
	passedBy    int
	failedAlone bool
	parts       parts
}

// fail notes a failure together with n records, itself included, while the lane has made so many deliveries. Failures with
// no delivery between halve a request once, so that an outage does not split requests again and again. In strict order nothing else
// can be delivered between, so each failure halves the request.
func (p *pending) fail(n int, successes uint64, inOrder bool) {
	fresh := !p.failed || p.suspect(successes)
	p.failed, p.seen = true, successes
	if n > 1 && (fresh || inOrder) {
		p.share = half(n)
	}
}

// refuse notes a refusal alone.
func (p *pending) refuse(now time.Time) {
	if p.refusals == 0 {
		p.firstRefusal = now
	}
	p.refusals++
}

// refusedForGood reports whether a record that was refused as one batch or all counts as the cause. passedSince: others
// have passed since the refusal before.
func (p *pending) refusedForGood(now time.Time, passedSince bool) bool {
	return p.refusals >= poisonFailures && now.Sub(p.firstRefusal) >= refusedMinute && passedSince
}

// retryRefused returns when a refused record is tried again.
func (p *pending) retryRefused(now time.Time) time.Time {
	if last := p.firstRefusal.Add(refusedMinute); p.refusals >= poisonFailures-1 && now.Before(last) {
		return last
	}
	return now.Add(refusedRetry)
}

// suspect reports whether the record has failed, and others have passed since. Its next failure says nothing about the
// downstream.
func (p *pending) suspect(successes uint64) bool { return p.failed && successes > p.seen }

// fresh reports whether the record has had no failure of its own.
func (p *pending) fresh() bool { return !p.failed && p.refusals == 0 }

// half of n records, the larger one.
func half(n int) int { return (n + 1) / 2 }

// size is what the record counts for: of compressed records what they are before, since they are decoded to be sent.
func (p *pending) size() int { return record.Size(p.entry.Record) }
