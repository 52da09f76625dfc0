package delivery

import (
	"context"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// Sender makes one attempt. It leaves the data as it is, and may be called again. A nil error says that the downstream
// has the data, all but the items that it has rejected for good in an answer of partial success.
type Sender interface {
	Send(context.Context) (rejected int, err error)
}

// Batch is one request, bound to where it is to go.
type Batch interface {
	Sender
	// Items is the number of spans, data points or log records. It may walk the batch.
	Items() int
	// Payload is the request in the encoding of the lane's codec. It may be called while Send is under way.
	Payload() ([]byte, error)
	// Part is a batch of the items from one to before another, in the order of the payload. It may remove them from this
	// batch, which is of no more use then.
	Part(from, to int) Batch
	// Metadata is what is to be kept of the client's metadata, by lower-case key; nil where there is nothing.
	Metadata() map[string][]string
}

// Decode is the inverse of Payload: it makes one batch of verified records of the same metadata, in their order. It
// keeps none of the lines.
type Decode func(lines [][]byte) (Batch, error)

// Log keeps records. See segment.Log, which is what it is outside tests, for the contract of each method.
type Log interface {
	AppendBefore(record []byte, limit time.Time) error
	Next() (e segment.Entry, ok bool, err error)
	Done(e segment.Entry) error
	DropOldest(visit func(record []byte)) (bool, error)
	Readable() <-chan struct{}
	Tend() error
	Try(bytes int64) error
	Cursor() segment.Position
	Empty() bool
	Stats() segment.Stats
	Close() error
}

var _ Log = (*segment.Log)(nil)

// Breaker says whether an attempt may be made. See breaker.Breaker.
type Breaker interface {
	Allow(mayProbe bool) breaker.Permit
	Count()
	Close()
	State() breaker.State
	Wait() time.Duration
	Opened() <-chan struct{}
}

var _ Breaker = (*breaker.Breaker)(nil)

// Observer is told what happens on a lane, as it happens. Its methods may be called concurrently and must not call the
// lane. Items are in the ledger: received = delivered + logged now + buried +
// dropped + rejected + expired.
type Observer interface {
	Received(items int)
	Delivered(replayed bool, items int)
	Logged(reason Reason, items, size int)
	// Buried is called for each record that goes to the dead letter. cause is the downstream's last answer.
	Buried(reason Reason, items int, cause error)
	Dropped(reason Drop, items int)
	Rejected(items int)
	Expired(items int)
	// Late is called for items that were delivered in strict order after later ones. They are in Delivered, too.
	Late(items int)
	ReplayFailed()
	Failed(failure.Class)
	Exported(took time.Duration)
	// Warn and Error are for people: they may be called for every batch, the observer limits the rate. err may be nil.
	Warn(c failure.Class, message string, err error)
	Error(c failure.Class, message string, err error)
}
