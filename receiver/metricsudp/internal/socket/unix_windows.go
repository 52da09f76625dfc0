package socket

import (
	"context"
	"errors"
)

// HasUnix reports whether this system has Unix sockets of datagrams and of streams. Windows has none of datagrams.
const HasUnix = false

func openUnix(context.Context, *Options) (*Group, error) { return nil, errors.ErrUnsupported }

func listenUnix(context.Context, *Options) (*Listeners, error) { return nil, errors.ErrUnsupported }

type file struct{}

func (*file) remove() error { return nil }
