package cardinalitylimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

// keeper keeps the state in a storage extension. Its methods have one caller at a
// time, but for age.
type keeper struct {
	client storage.Client
	store  *snapshot.Store
	opened error // why the store is empty
	logger *zap.Logger
	now    func() time.Time

	// How events are counted; set before the first.
	failed func(context.Context)
	empty  func(ctx context.Context, reason string)

	saved  atomic.Int64 // when all of the state was written last, ns since the epoch
	logged time.Time    // the last failure that was logged
}

const (
	stateSection  = "reaggregation"
	rulesSection  = "rules"
	placesSection = "limit."
	// logEvery bounds the rate at which failures of the storage are logged.
	logEvery = time.Minute
)

func placesOf(limit string) string { return placesSection + limit }

// openKeeper gets a client of the extension and reads what it has.
func openKeeper(
	ctx context.Context, host component.Host, extension, processor component.ID, logger *zap.Logger, f *factory,
) (*keeper, error) {
	ext, ok := host.GetExtensions()[extension]
	if !ok {
		return nil, fmt.Errorf("storage: must be an extension that the service starts (got %s)", extension)
	}
	from, ok := ext.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage: must be a storage extension (got %s)", extension)
	}
	client, err := from.GetClient(ctx, component.KindProcessor, processor, "")
	if err != nil {
		return nil, fmt.Errorf("storage: %s: %w", extension, err)
	}
	k := &keeper{client: client, logger: logger, now: f.now}
	k.store, k.opened = snapshot.Open(ctx, client, f.random(math.MaxUint64))
	k.saved.Store(k.now().UnixNano())
	return k, nil
}

// adopt makes the state one of a cluster, whose series are named by another seed than the storage's, unless it is one
// already. What is stored means nothing then.
func (k *keeper) adopt(ctx context.Context, seed uint64) {
	if k.store.Seed() == seed {
		return
	}
	if k.opened == nil {
		k.opened = fmt.Errorf("%w: cluster::prefix or cluster::secret", limit.ErrChanged)
	}
	if err := k.store.Restart(ctx, seed); err != nil {
		k.logger.Warn("The storage keeps what means nothing any more", zap.Error(err))
	}
}

// restore gives the limits and the table what is stored of them, each of them all or
// nothing, and marks the state as one that a process works with. Rules is a text that
// differs where other streams may leave as themselves.
func (k *keeper) restore(ctx context.Context, set *limit.Set, table *fold.Table, rules string) {
	now := k.now().UnixNano()
	killed := !k.store.Clean()
	if k.opened != nil {
		k.logger.Warn("Nothing restored from the storage: all of the state starts empty",
			zap.String("reason", reasonOf(k.opened)), zap.Error(k.opened))
	}
	wanted := map[string]bool{stateSection: true, rulesSection: true}
	restored := k.read(ctx, stateSection, func(d *snapshot.Decoder) error {
		c, err := fold.DecodeCut(d)
		if err == nil {
			table.Restore(c, killed)
		}
		return err
	})
	for i := range set.Len() {
		name := placesOf(set.Name(i))
		wanted[name] = true
		if ok := k.read(ctx, name, func(d *snapshot.Decoder) error { return set.Decode(i, d) }); restored && (killed || !ok) {
			set.Forget(i, now) // what has a place without our knowledge has left already
		}
	}
	changed := restored && !k.has(ctx, rulesSection, rules)
	if changed {
		table.Forget(now) // what has no place now may have left under the rules before
	}
	k.logger.Info("State read from the storage", zap.Bool("reaggregation", restored), zap.Bool("rules_changed", changed),
		zap.Int("streams", table.Tracked()), zap.Bool("killed", killed && k.opened == nil))
	if err := k.store.DeleteExcept(ctx, func(name string) bool { return wanted[name] }); err != nil {
		k.failure(ctx, err)
	}
	k.write(ctx, false, snapshot.Section{Name: rulesSection, Encode: func(e *snapshot.Encoder) { e.Text(rules) }})
}

// has tells whether a section is there and holds a text.
func (k *keeper) has(ctx context.Context, name, text string) bool {
	d, err := k.store.Read(ctx, name)
	return err == nil && d.Text() == text && d.Done() == nil
}

// read restores a section, or counts and logs why it starts empty.
func (k *keeper) read(ctx context.Context, name string, restore func(*snapshot.Decoder) error) bool {
	err := k.opened
	if err == nil {
		var d *snapshot.Decoder
		if d, err = k.store.Read(ctx, name); err == nil {
			err = restore(d)
		}
	}
	if err == nil {
		return true
	}
	k.empty(ctx, reasonOf(err))
	if k.opened != nil {
		return false // logged once, for all parts
	}
	k.logger.Warn("Nothing restored from the storage: started empty",
		zap.String("part", strings.TrimPrefix(name, placesSection)), zap.String("reason", reasonOf(err)), zap.Error(err))
	return false
}

func reasonOf(err error) string {
	for reason, is := range map[string]error{
		"missing": snapshot.ErrMissing, "corrupt": snapshot.ErrCorrupt,
		"version": snapshot.ErrVersion, "changed": limit.ErrChanged,
	} {
		if errors.Is(err, is) {
			return reason
		}
	}
	return "storage"
}

// write stores sections, all or none, and reports whether it did. It is not ended
// by ctx: at shutdown that has ended when what is left is stored.
func (k *keeper) write(ctx context.Context, clean bool, sections ...snapshot.Section) bool {
	ctx = context.WithoutCancel(ctx)
	if err := k.store.Write(ctx, clean, sections...); err != nil {
		k.failure(ctx, err)
		return false
	}
	if len(sections) > 1 { // with places
		k.saved.Store(k.now().UnixNano())
	}
	return true
}

func (k *keeper) failure(ctx context.Context, err error) {
	k.failed(ctx)
	if now := k.now(); now.Sub(k.logged) >= logEvery {
		k.logged = now
		k.logger.Warn("Storage failed; processing goes on, and a restart loses what is not stored", zap.Error(err))
	}
}

// age is the time since all of the state was stored. Safe for concurrent use.
func (k *keeper) age() time.Duration { return time.Duration(k.now().UnixNano() - k.saved.Load()) }

func (k *keeper) close(ctx context.Context) error {
	if k == nil {
		return nil
	}
	return k.client.Close(ctx)
}
