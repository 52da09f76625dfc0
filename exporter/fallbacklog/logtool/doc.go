// Package logtool reads, checks and empties the directories that the fallbacklog exporter writes. It is the library of the
// command cmd/fallbacklog.
//
// List, Cat and Verify only read. They work beside a running gateway: they lock and write nothing, and skip files that
// disappear. Replay, Requeue and Discard write. They lock the component's directory first and fail with ErrInUse if a gateway
// has locked it. A running gateway serves Requeue and Discard itself when it is asked to, see Ask.
package logtool
