// Package logtool looks at, checks and empties the directories that the fallbacklog exporter writes. The command
// cmd/fallbacklog is made of it.
//
// What only reads (List, Cat, Verify) works beside a running gateway: it takes no lock, writes
// nothing, and passes over files that vanish. What writes (Replay, Requeue, Discard) takes the component's lock first and
// fails with ErrInUse where a gateway has it. What is about dead letters a gateway does itself when it is asked to: see Ask.
package logtool
