package socket

import (
	"errors"

	"golang.org/x/sys/windows"
)

func isInUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

// isTooLong recognises a truncated datagram.
func isTooLong(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }
