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

// keeper keeps the state in a storage extension. Except age, its methods must have one caller at a time.
type keeper struct {
	client  storage.Client
	store   *snapshot.Store
	openErr error // reason why the store is empty; nil if it is not
	logger  *zap.Logger
	now     func() time.Time

	// countFailure and countEmpty count events. They are set before the first event.
	countFailure func(context.Context)
	countEmpty   func(ctx context.Context, reason string)

	savedAt  atomic.Int64 // time of the last write of the whole state, ns since the epoch
	loggedAt time.Time    // time of the last log record about a failure
}

const (
	stateSection  = "reaggregation"
	rulesSection  = "rules"
	placesSection = "limit."
	// logEvery is the minimum time between two log records about failures of the storage.
	logEvery = time.Minute
)

func placesOf(limit string) string { return placesSection + limit }

// openKeeper gets a client of the extension and opens the stored state.
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
	k.store, k.openErr = snapshot.Open(ctx, client, f.random(math.MaxUint64))
	k.savedAt.Store(k.now().UnixNano())
	return k, nil
}

// useSeed gives the state the seed of a cluster. If the stored seed is another one, the stored identities mean nothing, and
// the state is emptied.
func (k *keeper) useSeed(ctx context.Context, seed uint64) {
	if k.store.Seed() == seed {
		return
	}
	if k.openErr == nil {
		k.openErr = fmt.Errorf("%w: cluster::prefix or cluster::secret", limit.ErrChanged)
	}
	if err := k.store.Restart(ctx, seed); err != nil {
		k.logger.Warn("Old state could not be deleted from the storage", zap.Error(err))
	}
}

// restore restores the limits and the table, each of them completely or not at all. It marks the stored state as used by a
// running process. Rules is the result of Config.rules.
func (k *keeper) restore(ctx context.Context, set *limit.Set, table *fold.Table, rules string) {
	now := k.now().UnixNano()
	killed := !k.store.Clean()
	if k.openErr != nil {
		k.logger.Warn("Nothing restored from the storage: all of the state starts empty",
			zap.String("reason", reasonOf(k.openErr)), zap.Error(k.openErr))
	}
	expected := map[string]bool{stateSection: true, rulesSection: true}
	changed := false
	restored := k.read(ctx, stateSection, func(d *snapshot.Decoder) error {
		c, err := fold.DecodeCut(d)
		if err != nil {
			return err
		}
		if changed = !k.contains(ctx, rulesSection, rules); changed {
			c.ForgetGauges()
		}
		table.Restore(c, killed)
		return nil
	})
	for i := range set.Len() {
		name := placesOf(set.Name(i))
		expected[name] = true
		if ok := k.read(ctx, name, func(d *snapshot.Decoder) error { return set.Decode(i, d) }); restored && (killed || !ok) {
			set.NoteUnknownUntil(i, now) // series that had places unknown to us have left as themselves
		}
	}
	if changed {
		table.NoteUnknownUntil(now) // series without a place may have left as themselves under the old rules
	}
	k.logger.Info("State read from the storage", zap.Bool("reaggregation", restored), zap.Bool("rules_changed", changed),
		zap.Int("streams", table.Tracked()), zap.Bool("killed", killed && k.openErr == nil))
	if err := k.store.DeleteExcept(ctx, func(name string) bool { return expected[name] }); err != nil {
		k.noteFailure(ctx, err)
	}
	k.write(ctx, false, snapshot.Section{Name: rulesSection, Encode: func(e *snapshot.Encoder) { e.Text(rules) }})
}

// contains reports whether the store contains a section with the given text.
func (k *keeper) contains(ctx context.Context, name, text string) bool {
	d, err := k.store.Read(ctx, name)
	return err == nil && d.Text() == text && d.Done() == nil
}

// read restores a section. If that fails, it counts and logs the reason and returns false.
func (k *keeper) read(ctx context.Context, name string, restore func(*snapshot.Decoder) error) bool {
	err := k.openErr
	if err == nil {
		var d *snapshot.Decoder
		if d, err = k.store.Read(ctx, name); err == nil {
			err = restore(d)
		}
	}
	if err == nil {
		return true
	}
	k.countEmpty(ctx, reasonOf(err))
	if k.openErr != nil {
		return false // logged once, for all parts
	}
	k.logger.Warn("Nothing restored from the storage: started empty",
		zap.String("part", strings.TrimPrefix(name, placesSection)), zap.String("reason", reasonOf(err)), zap.Error(err))
	return false
}

func reasonOf(err error) string {
	for reason, target := range map[string]error{
		"missing": snapshot.ErrMissing, "corrupt": snapshot.ErrCorrupt,
		"version": snapshot.ErrVersion, "changed": limit.ErrChanged,
	} {
		if errors.Is(err, target) {
			return reason
		}
	}
	return "storage"
}

// write stores all sections or none, and reports whether it stored them. It ignores the end of ctx, because at shutdown ctx
// may have ended before the last write.
func (k *keeper) write(ctx context.Context, clean bool, sections ...snapshot.Section) bool {
	ctx = context.WithoutCancel(ctx)
	if err := k.store.Write(ctx, clean, sections...); err != nil {
		k.noteFailure(ctx, err)
		return false
	}
	if len(sections) > 1 { // the whole state, with places
		k.savedAt.Store(k.now().UnixNano())
	}
	return true
}

func (k *keeper) noteFailure(ctx context.Context, err error) {
	k.countFailure(ctx)
	if now := k.now(); now.Sub(k.loggedAt) >= logEvery {
		k.loggedAt = now
		k.logger.Warn("Storage failed; processing goes on, and a restart loses what is not stored", zap.Error(err))
	}
}

// age is the time since the whole state was stored. It is safe for concurrent use.
func (k *keeper) age() time.Duration { return time.Duration(k.now().UnixNano() - k.savedAt.Load()) }

func (k *keeper) close(ctx context.Context) error {
	if k == nil {
		return nil
	}
	return k.client.Close(ctx)
}
