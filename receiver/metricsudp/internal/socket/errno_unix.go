//go:build unix && !linux

package socket

import (
	"errors"
	"syscall"
)

func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// isNotOfThisHost recognises an address that no interface has, or whose family is switched off.
func isNotOfThisHost(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

const hasAbstract = false

// isTooLong is for Windows, which makes an error of a truncated datagram.
func isTooLong(error) bool { return false }
