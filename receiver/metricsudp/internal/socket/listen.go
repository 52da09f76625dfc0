package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Listeners accept the connections of one receiver.
type Listeners struct {
	All     []net.Listener
	Skipped []string // addresses of the endpoint's host name that this host does not have, each with the error
	file    *file    // of a Unix socket; nil for an abstract name and for TCP
}

// Listen listens on every address of the endpoint. It uses the network, the address, the resolver and the permissions of the
// options.
func Listen(ctx context.Context, s Options) (*Listeners, error) {
	if s.Network == Unix {
		return listenUnix(ctx, &s)
	}
	all, skipped, err := bindAll(ctx, &s, listenTCP, net.Listener.Addr)
	if err != nil {
		return nil, err
	}
	return &Listeners{All: all, Skipped: skipped}, nil
}

func listenTCP(ctx context.Context, network, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, network, address)
	if err != nil && isInUse(err) {
		return nil, &InUseError{Address: address, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s %s: %w", network, address, err)
	}
	return l, nil
}

// Addresses returns all bound addresses.
func (l *Listeners) Addresses() []string {
	all := make([]string, len(l.All))
	for i, listener := range l.All {
		all[i] = listener.Addr().String()
	}
	return all
}

// SetDeadline ends the Accepts in progress, and later ones, at the deadline.
func (l *Listeners) SetDeadline(deadline time.Time) error {
	var errs []error
	for _, listener := range l.All {
		if limited, ok := listener.(interface{ SetDeadline(time.Time) error }); ok {
			errs = append(errs, limited.SetDeadline(deadline))
		}
	}
	return errors.Join(errs...)
}

// Close ends the Accepts in progress.
func (l *Listeners) Close() error {
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.remove()) // before the socket is closed, see remove
	}
	for _, listener := range l.All {
		errs = append(errs, listener.Close())
	}
	return errors.Join(errs...)
}
