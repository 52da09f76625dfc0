package fallbacklog

import (
	"context"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/answer"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
)

var _ delivery.Batch = batch[plog.Logs]{}

// batch is a batch of one signal, bound to the wrapped exporter.
type batch[T any] struct {
	*instance[T]
	data           T
	callerMetadata client.Metadata     // of live data, if metadata_keys is set
	storedMetadata map[string][]string // of a record
}

func (b batch[T]) Items() int { return b.signal.items(b.data) }

func (b batch[T]) Payload() ([]byte, error) {
	return b.signal.wire(b.core.codec.Encoding()).marshal(b.data)
}

// Part removes all items outside [from, to) from b.
func (b batch[T]) Part(from, to int) delivery.Batch {
	b.signal.cut(b.data, from, to)
	return b
}

// Metadata returns the metadata to store. A record keeps the metadata that it has, whatever metadata_keys is now.
func (b batch[T]) Metadata() map[string][]string {
	if b.storedMetadata != nil {
		return b.storedMetadata
	}
	return selectMetadata(b.callerMetadata, b.core.cfg.MetadataKeys)
}

// Send makes one attempt. It does not change the data, which may be needed again.
func (b batch[T]) Send(ctx context.Context) (refusedItems int, err error) {
	if b.storedMetadata != nil {
		ctx = client.NewContext(ctx, client.Info{Metadata: client.NewMetadata(b.storedMetadata)})
	}
	if !b.wrapped.answersNoted {
		return 0, b.export(ctx)
	}
	ctx, note := answer.WithNote(ctx)
	return note.Outcome(ctx, b.Items, b.export(ctx))
}

func (b batch[T]) export(ctx context.Context) error {
	if b.wrapped.capabilities.MutatesData {
		return b.wrapped.consume(ctx, b.signal.clone(b.data))
	}
	return b.wrapped.consume(ctx, b.data)
}
