package socket

import (
	"errors"

	"golang.org/x/sys/windows"
)

func isInUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

// isNotOfThisHost reports whether the error means that no interface has the address, or that its family is switched off.
func isNotOfThisHost(err error) bool {
	return errors.Is(err, windows.WSAEADDRNOTAVAIL) || errors.Is(err, windows.WSAEAFNOSUPPORT)
}

// isTooLong reports whether the error means that the datagram was truncated.
func isTooLong(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }
