// Package delivery sends batches to a downstream. A batch that the downstream does not accept goes to a durable log, and the
// log's records go to the downstream when it is back.
//
// A Lane delivers one signal. The lanes of a component form a Group: they share a breaker, and each may drop the oldest
// segment of another lane's log to make room. The package does not import the Collector. Everything outside, including time,
// comes in through the interfaces in ports.go and through GroupOptions and LaneOptions. docs/fallbacklog/glossary.md explains
// the terms.
//
// # What an answer leads to
//
// Package failure sorts answers into four kinds. The rules below are the same for live batches and for records.
//
// Throttled and retryable answers: the batch is tried again, first within the caller's budget, then from the log. Both kinds
// count for the group's breaker; a throttled answer never counts against a record. An answer that may be about the data (500,
// UNKNOWN, INTERNAL) counts once per batch.
//
// "One batch or all" and "one batch" are refusals. A batch that is refused as "one batch or all" goes to the log and waits
// there while others pass it. A batch that is refused as "one batch" goes to the dead letter at once.
//
// Rule of five: five consecutive batches that are each refused for the first time, without a success between them, mean that
// the downstream is at fault (Lane.refusalBreaker). The signal then waits. It probes after 1, 2, 4, 8 and then every 10 s, by
// turns with the newest record in memory, the oldest record and a live batch. In strict order it probes with the oldest record,
// then by the escape. Nothing goes to the dead letter while the signal waits.
//
// # Poison
//
// A record that keeps failing while others pass also goes to the dead letter:
//   - after three refusals alone as "one batch or all", the third at least a minute after the first, so that a token that
//     rolls over replicas costs no record;
//   - after three retryable failures alone, counted only while nine of the last ten other requests passed (recent).
//
// When a request of several records fails, no single record is at fault: the records are sent again in halves.
//
// # Strict order
//
// Nothing passes the oldest record, the head, except by the escape. After the head has failed five times alone, probes follow
// each of its failures under the same permit: the next record alone, then the one after it if that fails, up to eight per
// failure of the head. When three later records have passed a head that still fails (see strictLimit), the head goes to the
// dead letter. A record that passes after a probe is late by these three records at most, and counts as late.
//
// # Too large
//
// A record that is answered 413 is sent in parts of half as many items, down to one item. The lane keeps the largest size that
// passed for the next requests. RESOURCE_EXHAUSTED without RetryInfo may mean the size, so the next attempt has half the items.
// A record is done when its last part is done. A crash before that repeats the whole record. A single item that is too large
// goes to the dead letter. A record without a single accepted item counts as one refusal for the rule of five.
//
// # Size
//
// The package has more than 2,000 lines, because live data and replay share the breakers, the verdicts and the dead letter: a
// package of each would need the other one's state.
package delivery
