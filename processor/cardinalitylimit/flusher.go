package cardinalitylimit

import (
	"context"
	"errors"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

// flusher calls a function at every interval from a goroutine of its own, and once
// more at its end: downstream is still there. From the same goroutine it calls save.
type flusher struct {
	flush  func(ctx context.Context, last bool) error
	save   func(ctx context.Context) // nil without a storage
	stop   chan struct{}
	ctx    context.Context
	cancel context.CancelFunc // ends a flush that outlives the shutdown's deadline
	done   chan struct{}
	last   error // of the last flush; valid once done is closed
}

// start begins; the fields flush and save are set.
func (f *flusher) start(flushInterval, saveInterval time.Duration) {
	f.stop, f.done = make(chan struct{}), make(chan struct{})
	f.ctx, f.cancel = context.WithCancel(context.Background())
	go f.run(flushInterval, saveInterval)
}

func (f *flusher) run(flushInterval, saveInterval time.Duration) {
	defer close(f.done)
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	var saves <-chan time.Time
	if f.save != nil {
		saver := time.NewTicker(saveInterval)
		defer saver.Stop()
		saves = saver.C
	}
	for {
		select {
		case <-f.stop:
			f.last = f.flush(f.ctx, true)
			return
		case <-ticker.C:
			_ = f.flush(f.ctx, false) // says itself what goes wrong; an error is of the last one only
		case <-saves:
			f.save(f.ctx)
		}
	}
}

const (
	// abandonAfter is how long downstream has to notice that its context ended.
	abandonAfter = 100 * time.Millisecond
	// flushGrace is how long downstream has to take what is folded at shutdown.
	flushGrace = shutdown.Processor - abandonAfter
)

// errAbandoned means that what the last flush held is neither delivered nor refused.
var errAbandoned = errors.New("downstream does not return from taking folded series")

// shutdown flushes for the last time, within the budget of the stage or until ctx
// ends. It waits for the goroutine but where downstream ignores the end of its
// context: then the goroutine ends with the call it is in. To be called once.
func (f *flusher) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushGrace)
	defer cancel()
	context.AfterFunc(ctx, f.cancel) // runs at the latest when this function returns
	close(f.stop)
	select {
	case <-f.done:
		return f.last
	case <-ctx.Done():
	}
	if !wait.For(f.done, abandonAfter) {
		return errAbandoned
	}
	return f.last
}
