package stream

// End is the reason for which a connection ended. Its names are values of the telemetry attribute "reason".
type End uint8

// The reasons.
const (
	EndClosed        End = iota // the peer closed the connection
	EndIdle                     // no whole line or frame came within the idle timeout
	EndFailed                   // an error, such as a reset
	EndOverlongFrame            // a frame was longer than allowed
	EndHandshake                // the TLS handshake failed
	EndDenied                   // the source is not allowed
	EndShutdown                 // the receiver was shut down
	Ends                        // number of reasons
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

// IsFault reports whether the end is an error, which is logged.
func (e End) IsFault() bool { return e != EndClosed && e != EndIdle && e != EndShutdown }
