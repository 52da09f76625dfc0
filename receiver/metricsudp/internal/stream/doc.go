// Package stream receives lines over connections: TCP, with TLS or without, and Unix sockets.
//
// A [Server] accepts connections and reads each in a goroutine of its own, up to whole lines or
// frames. A connection belongs to one [Feed], the Conn of one reader, and hands it what it has
// read: it reads on when the reader is done with the bytes. So a connection has one buffer, the
// order of its lines is kept, and the connections of a feed take turns: one that sends more, or
// nothing, delays no other.
package stream
