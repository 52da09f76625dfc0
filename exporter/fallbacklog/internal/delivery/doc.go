// Package delivery sends batches to a downstream, or to a durable log when the downstream does not accept them, and the
// log's records to the downstream when it is back: attempt, judge, store, replay.
//
// A Lane is one signal's way. The lanes of a component are a Group: they share the breaker, and make room in each other's
// logs. Everything outside comes in through interfaces (ports.go) and Settings, time included; nothing here knows of the
// Collector.
//
// # What an answer leads to
//
// Package failure sorts answers into four kinds. The rules for them are the same for live data and for the log's records.
//
// Throttled and retryable answers are tried again, within the caller's budget, then from the log. They open the group's
// breaker. An answer that may be about the data (500, UNKNOWN, INTERNAL) counts there once in a batch's life.
//
// "One batch or all" and "one batch" are refusals. A batch that is refused as "one batch or all" goes to the log and waits
// there while others pass it. One that is refused as "one batch" goes to the dead letter at once.
//
// Rule of five: five batches in a row that are each refused for the first time, with no success between, are the
// downstream's fault (Lane.refusals). The signal waits then, and probes by turns with the newest record that it has read,
// the oldest one and a live batch, after 1, 2, 4, 8 and then every 10 s. Nothing goes to the dead letter while the signal waits.
//
// # Poison
//
// A record goes to the dead letter, too, when it keeps failing while others pass:
//   - after three refusals alone as "one batch or all", the third at least a minute after the first, so that a token that
//     rolls over replicas costs nothing;
//   - after three retryable failures alone, counted only while nine of the last ten other requests passed (recent).
//
// A failed request of several records says nothing about any of them: they are sent again in halves.
//
// # Strict order
//
// Nothing passes the oldest record, the head, but by one escape. After the head has failed five times alone, probes follow
// each of its failures under the same permit: the next record, alone, and where that fails the one after it, up to eight
// for each failure of the head. When three later records have passed a head that still fails (see strictLimit), it goes to
// the dead letter. A record that passes after all is late by these three at most, and is counted as late.
//
// # Too large
//
// A record that is answered 413 is sent in parts of half as many items, down to one. The largest size that passed is kept
// for the next requests. RESOURCE_EXHAUSTED without RetryInfo may mean the size: the next attempt is with half. A record
// is settled when its last part is; a crash before repeats it whole. A single item that is too large goes to the dead
// letter. A record without a single accepted item counts as one refusal for the rule of five.
package delivery
