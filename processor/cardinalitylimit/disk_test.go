package cardinalitylimit

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

var storageID = component.MustNewID("memory")

// disk is a storage extension that survives the processor and its host.
type disk struct {
	component.StartFunc
	component.ShutdownFunc

	mu     sync.Mutex
	values map[string][]byte
	err    error // error of every call
	// left is the number of values that can still be set before the process dies; negative: it does not die.
	left int
	dead bool

	calls, failing int           // calls of all kinds, and the number of the one that fails; 0: none
	blocked        chan struct{} // calls block until it is closed; nil: they do not
}

// call is one call of any kind. It returns the error of the call.
func (d *disk) call() error {
	d.mu.Lock()
	d.calls++
	failing, blocked := d.calls == d.failing, d.blocked
	d.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
	if failing {
		return errDisk
	}
	return nil
}

func newDisk() *disk { return &disk{values: map[string][]byte{}, left: -1} }

var (
	_ component.Host    = (*disk)(nil)
	_ storage.Extension = (*disk)(nil)
)

func (d *disk) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{storageID: d, component.MustNewID("other"): other{}}
}

type other struct {
	component.StartFunc
	component.ShutdownFunc
}

func (d *disk) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return d, nil
}

var (
	errDisk = errors.New("disk is gone")
	errDead = errors.New("killed")
)

func (d *disk) Get(_ context.Context, key string) ([]byte, error) {
	if err := d.call(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.values[key], d.err
}

func (d *disk) Set(_ context.Context, key string, value []byte) error {
	if err := d.call(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == 0 {
		d.dead = true
	}
	if d.dead {
		return errDead
	}
	d.left--
	if d.err == nil {
		d.values[key] = value
	}
	return d.err
}

func (d *disk) Delete(_ context.Context, key string) error {
	if err := d.call(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return errDead
	}
	delete(d.values, key)
	return d.err
}

func (d *disk) Batch(context.Context, ...*storage.Operation) error { panic("not used") }

func (d *disk) Close(context.Context) error { return nil }

// kill ends the life that writes now. Nothing reaches the disk any more.
func (d *disk) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

func (d *disk) revive() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead, d.left = false, -1
}

func (d *disk) dieAfter(sets int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = sets
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}
