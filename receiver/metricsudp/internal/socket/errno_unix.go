//go:build unix && !linux

package socket

import (
	"errors"
	"syscall"
)

func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// isNotOfThisHost reports whether the error means that no interface has the address, or that its family is switched off.
func isNotOfThisHost(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

const hasAbstract = false

// isTooLong reports false: only Windows returns an error for a truncated datagram.
func isTooLong(error) bool { return false }
