package socket

import (
	"context"
	"errors"
)

// HasUnixgram tells of this system, which has Unix sockets of streams only.
const HasUnixgram = false

func openUnix(context.Context, *Settings) (*Group, error) { return nil, errors.ErrUnsupported }

type file struct{}

func (*file) remove() error { return nil }
