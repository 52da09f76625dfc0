//go:build unix && !linux

package socket

import (
	"errors"
	"syscall"
)

func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

const hasAbstract = false

// isTooLong is for Windows, which makes an error of a truncated datagram.
func isTooLong(error) bool { return false }
