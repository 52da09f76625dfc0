package delivery

import (
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

const (
	// poisonFailures is how often a record must fail alone, while others pass, until it counts as the cause.
	poisonFailures = 3
	// A record that was refused as "one batch or all" is retried after refusedRetry. The third refusal makes it poison, but not
	// before refusedPoisonAfter after the first.
	refusedRetry       = 20 * time.Second
	refusedPoisonAfter = 60 * time.Second
	// maxRetry bounds the pause between the attempts of a record that fails while others pass.
	maxRetry = 10 * time.Second
)

// pending is a record that replay has read and that is not done. In memory it is its encoded form; it is decoded only to be
// sent.
type pending struct {
	entry    segment.Entry
	number   uint64 // counts the records read, from 1
	items    int
	written  time.Time
	attempts int
	metadata map[string][]string

	out            bool // the replayer sends it or decides about it; guarded by window.mu
	segmentDropped bool // log::on_full has dropped its segment while it was out; guarded by window.mu
	// retryAt is when a record that failed may be tried again. If it is zero window.choose decides. Guarded by window.mu.
	retryAt time.Time

	// maxTogether is the largest number of records, itself included, of a request with this record, because it failed in a
	// larger one. 0: no limit.
	maxTogether int
	// deliveriesAtFailure is the lane's count of deliveries at the last failure that noteFailure has recorded. failureNoted is
	// false before the first one.
	deliveriesAtFailure uint64
	failureNoted        bool
	// countedInRecent is true when recent has counted a failed request with this record.
	countedInRecent bool
	// failuresAlone counts failures of requests with this record only. In strict order all count. Otherwise a failure counts
	// only while nine of the last ten other requests passed.
	failuresAlone    int
	countedByBreaker bool // the breaker has counted a failure of this record that may be about the data
	refusals         int  // of requests with this record only
	firstRefusal     time.Time
	// laterDelivered counts the later records that were delivered in strict order since this one failed alone. countsLater is
	// true from that failure on.
	laterDelivered int
	countsLater    bool
	parts          parts
}

// noteFailure records that this record failed in a request of n records. successes is the lane's count of deliveries. A failure
// halves maxTogether only if there was a delivery since the last failure, so an outage does not split requests again and again.
// In strict order no other record can be delivered in between, so each failure halves it.
func (p *pending) noteFailure(n int, successes uint64, inOrder bool) {
	changed := !p.failureNoted || p.suspect(successes) // a first failure, or others have passed since the last one
	p.failureNoted, p.deliveriesAtFailure = true, successes
	if n > 1 && (changed || inOrder) {
		p.maxTogether = half(n)
	}
}

// noteRefusal records a refusal of a request with this record only.
func (p *pending) noteRefusal(now time.Time) {
	if p.refusals == 0 {
		p.firstRefusal = now
	}
	p.refusals++
}

// isPoison reports whether a record that was refused as "one batch or all" counts as the cause. passedSince: others have
// passed since its previous refusal.
func (p *pending) isPoison(now time.Time, passedSince bool) bool {
	return p.refusals >= poisonFailures && now.Sub(p.firstRefusal) >= refusedPoisonAfter && passedSince
}

// retryRefused returns when a refused record is tried again.
func (p *pending) retryRefused(now time.Time) time.Time {
	if last := p.firstRefusal.Add(refusedPoisonAfter); p.refusals >= poisonFailures-1 && now.Before(last) {
		return last
	}
	return now.Add(refusedRetry)
}

// suspect reports whether the record has failed and others have passed since. Its next failure is then no sign that the
// downstream is away.
func (p *pending) suspect(successes uint64) bool {
	return p.failureNoted && successes > p.deliveriesAtFailure
}

// neverFailed reports whether the record has never failed or been refused.
func (p *pending) neverFailed() bool { return !p.failureNoted && p.refusals == 0 }

// half returns half of n, rounded up.
func half(n int) int { return (n + 1) / 2 }

// size returns the bytes that the record counts for. A compressed record counts uncompressed, because it is decoded to be sent.
func (p *pending) size() int { return record.Size(p.entry.Record) }
