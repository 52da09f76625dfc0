package cardinalitylimit

import (
	"context"
	"errors"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

// flusher calls flush at an interval from a goroutine of its own, and once more at shutdown, when downstream still runs. It
// calls save at another interval from the same goroutine.
type flusher struct {
	flush   func(ctx context.Context, last bool) error
	save    func(ctx context.Context) // nil without a storage
	stop    chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc // ends a flush that lasts longer than the shutdown may
	done    chan struct{}
	lastErr error // of the last flush; valid when done is closed
}

// start starts the goroutine. The fields flush and save must be set.
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
			f.lastErr = f.flush(f.ctx, true)
			return
		case <-ticker.C:
			_ = f.flush(f.ctx, false) // only the last flush returns an error; the others log it
		case <-saves:
			f.save(f.ctx)
		}
	}
}

const (
	// abandonAfter is the time that downstream has to return after its context ended.
	abandonAfter = 100 * time.Millisecond
	// flushGrace is the time that downstream has to accept the last flush.
	flushGrace = shutdown.Processor - abandonAfter
)

// errAbandoned means that downstream has neither accepted nor refused the last flush.
var errAbandoned = errors.New("downstream does not return from a call with folded series")

// shutdown flushes for the last time, until flushGrace or ctx ends. It waits for the goroutine, unless downstream ignores the
// end of its context. Then the goroutine ends when downstream returns. It must be called once.
func (f *flusher) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushGrace)
	defer cancel()
	context.AfterFunc(ctx, f.cancel) // runs at the latest when this function returns
	close(f.stop)
	select {
	case <-f.done:
		return f.lastErr
	case <-ctx.Done():
	}
	if !wait.For(f.done, abandonAfter) {
		return errAbandoned
	}
	return f.lastErr
}
