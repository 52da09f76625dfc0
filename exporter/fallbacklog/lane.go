package fallbacklog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

var errNotStarted = errors.New("the exporter is not started")

// lane is one signal's delivery with its logs and its telemetry.
type lane struct {
	*delivery.Lane
	core       *core
	tel        *laneTelemetry
	log        *segment.Log
	deadLetter *segment.Log // nil if dead_letter::enabled is false

	foundBytes int64 // unread bytes at the start
}

// newLane opens the signal's logs and starts to replay.
func newLane(c *core, set exporter.Settings, signal string, decode delivery.Decode) (*lane, error) {
	tel, err := newLaneTelemetry(c, set, signal)
	if err != nil {
		return nil, err
	}
	l := &lane{core: c, tel: tel}
	c.orphans.claim(signal)
	dir := filepath.Join(c.root, signal)
	if l.log, err = segment.Open(l.options(dir, c.logBudget)); err != nil {
		return nil, directoryError(err)
	}
	if err := checkKey(l.log, c.reader, dir); err != nil {
		return nil, errors.Join(err, l.log.Close())
	}
	l.foundBytes = l.log.Stats().Unread
	opt := delivery.LaneOptions{
		Signal: signal, Codec: c.codec, Reader: c.reader, Decode: decode, Observer: delivery.Observer{SentItems: tel, StoredItems: tel, Attempts: tel, Messages: tel}, Log: delivery.NewLog(l.log),
		Strict: c.cfg.strict(signal),
	}
	if c.cfg.Replay.Enabled && c.cfg.Replay.Order == OrderAuto && c.cfg.Exporter.spec != nil {
		set.Logger.Info("replay::order is auto", zap.String("order", string(c.cfg.orderOf(signal))))
	}
	if c.cfg.DeadLetter.Enabled {
		dead := l.options(filepath.Join(dir, deadLetterDir), c.deadLetterBudget)
		dead.OnCompressed = func(found *segment.CompressedError) {
			tel.logger.Warn("the dead letter has segments that an earlier version compressed: decompress them so that `fallbacklog` can read them", zap.Error(found))
		}
		if l.deadLetter, err = segment.Open(dead); err != nil {
			return nil, errors.Join(fmt.Errorf("dead_letter: %w", err), l.log.Close())
		}
		opt.DeadLetter = l.deadLetter
		if c.cfg.DeadLetter.OnFull == OnFullDropOldest {
			opt.DeadLetter = &rotatingDeadLetter{
				Log: l.deadLetter, reader: c.reader, dropped: func(items int) { tel.Dropped(droppedByDeadLetter, items) }, now: c.now, dropper: segment.NewDropper(),
			}
		}
	}
	l.Lane = c.group.NewLane(opt)
	c.deadLetterServer.attach(signal, l)
	if err := tel.observe(l); err != nil {
		ctx, done := c.shutdownTime(context.Background())
		defer done()
		return nil, errors.Join(err, l.shutdown(ctx))
	}
	return l, nil
}

func (l *lane) options(dir string, budget *segment.Budget) segment.Options {
	cfg := l.core.cfg.Log
	modes := map[Fsync]segment.SyncMode{
		FsyncBatch: segment.SyncBatch, FsyncInterval: segment.SyncInterval, FsyncNone: segment.SyncNone,
	}
	return segment.Options{
		Dir: dir, Kind: kind(l.core.codec), Also: []segment.Kind{kind(record.Lines{}), kind(record.Frames{})}, Budget: budget, FS: l.core.fs, Now: l.core.now,
		MaxSegmentBytes: min(cfg.MaxSegmentSizeMiB*mib, budget.Max), MaxSegmentAge: cfg.MaxSegmentAge,
		Sync: modes[cfg.Fsync], SyncInterval: cfg.FsyncInterval,
		MaxWait:     l.core.maxWait,
		NewestFirst: l.core.cfg.Replay.Order == OrderNewestFirst,
		MakeDir: func() error {
			if err := l.core.makeDir(dir); err != nil {
				return err
			}
			return l.core.owner.check()
		},
		CheckOwner: l.core.owner.err,
		OnSync:     l.tel.synced,
		OnDamage:   l.tel.damaged,
		OnDone: func(segments int, bytes int64) {
			l.tel.logger.Warn("segments that the cursor calls dealt with are deleted: a crash has left them, or somebody has copied them there",
				zap.String("directory", dir), zap.Int("segments", segments), zap.Int64("bytes", bytes))
		},
		OnError: func(err error) {
			l.tel.Failed(failure.Log)
			l.tel.Error(failure.Log, "the local log has failed in the background", err)
		},
	}
}

// stalled reports whether a write to one of the logs has waited for the disk for more than a second.
func (l *lane) stalled() bool {
	return l.log.Stalled() || l.deadLetter != nil && l.deadLetter.Stalled()
}

func kind(c record.Codec) segment.Kind {
	return segment.Kind{Extension: c.Extension(), Format: c}
}

// consume delivers a batch. It marks an error as permanent if no retry would help.
func (l *lane) consume(ctx context.Context, b delivery.Batch) error {
	err := l.Consume(ctx, b)
	if errors.Is(err, delivery.ErrEncode) {
		return consumererror.NewPermanent(err)
	}
	return err
}

func (l *lane) shutdown(ctx context.Context) error {
	l.core.deadLetterServer.detach(l)
	err := l.Shutdown(ctx)
	l.tel.shutdown()
	return err
}
