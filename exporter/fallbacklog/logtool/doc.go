// Package logtool looks at, checks and empties the directories that the fallbacklog exporter writes. The command
// cmd/fallbacklog is made of it.
//
// What only reads (List, Cat, Verify, Replay with Keep) works beside a running gateway: it takes no lock, writes
// nothing, and passes over files that vanish. What writes (Replay, Requeue) takes the component's lock first and
// fails with ErrInUse where a gateway has it.
package logtool
