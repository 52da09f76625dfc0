// Package stream receives lines over connections: TCP, with TLS or without, and Unix sockets.
//
// A [Server] accepts connections and reads each in a goroutine of its own, until it has whole lines or frames. A connection
// belongs to one [Feed], which is the Conn of one reader. The connection hands the feed the bytes that it has read, and reads on
// when the reader is done with them. So each connection needs one buffer and keeps the order of its lines. The connections of a
// feed take turns: a connection that sends more than others, or nothing, does not delay them.
package stream
