// Package delivery takes batches to a downstream, or to a durable log when it does not take them, and the log's records
// to the downstream when it is back: attempt -> judge -> store -> replay.
//
// A Lane is one signal's way; the lanes of a component are a Group: they share the breaker, and make room in each
// other's logs. Everything outside comes in through interfaces (ports.go) and Settings, time included; nothing here
// knows of the Collector.
package delivery
