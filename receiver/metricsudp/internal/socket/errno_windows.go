package socket

import (
	"errors"

	"golang.org/x/sys/windows"
)

func isInUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

// isNotOfThisHost recognises an address that no interface has, or whose family is switched off.
func isNotOfThisHost(err error) bool {
	return errors.Is(err, windows.WSAEADDRNOTAVAIL) || errors.Is(err, windows.WSAEAFNOSUPPORT)
}

// isTooLong recognises a truncated datagram.
func isTooLong(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }
