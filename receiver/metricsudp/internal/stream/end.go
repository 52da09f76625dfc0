package stream

// End is why a connection ended. Its names are the values of the telemetry attribute "reason".
type End uint8

// The ends of connections.
const (
	EndClosed        End = iota // by the peer, after whole lines
	EndIdle                     // no whole line or frame within the idle timeout
	EndFailed                   // by an error, such as a reset
	EndOverlongFrame            // a frame is longer than allowed
	EndHandshake                // no TLS session came about
	EndDenied                   // refused: the source is not allowed
	EndShutdown                 // by the receiver's shutdown
	Ends                        // their number
)

var endNames = [Ends]string{
	EndClosed: "closed", EndIdle: "idle_timeout", EndFailed: "failed", EndOverlongFrame: "overlong_frame",
	EndHandshake: "tls_handshake", EndDenied: "denied", EndShutdown: "shutdown",
}

func (e End) String() string {
	if e < Ends {
		return endNames[e]
	}
	return "unknown"
}

// IsFault reports whether the end is worth a log line.
func (e End) IsFault() bool { return e != EndClosed && e != EndIdle && e != EndShutdown }
