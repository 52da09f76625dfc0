package delivery

import (
	"context"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// Batch is one request, bound to the wrapped exporter that sends it.
type Batch interface {
	// Send makes one attempt. It does not change the data and may be called again. A nil error means that the downstream has
	// accepted the batch. refusedItems is the number of items that it refused for good in an answer of partial success.
	Send(context.Context) (refusedItems int, err error)
	// Items returns the number of spans, data points or log records. It may walk the batch.
	Items() int
	// Payload returns the request in the encoding of the lane's codec. It may be called while Send runs.
	Payload() ([]byte, error)
	// Part returns a batch of the items [from, to), in the order of the payload. It may remove these items from this batch,
	// so this batch must not be used afterwards.
	Part(from, to int) Batch
	// Metadata returns the client metadata to store with the batch, by lower-case key. It is nil if there is none.
	Metadata() map[string][]string
}

// Decode is the inverse of Batch.Payload. It returns one batch of several verified records in their order. The records have
// the same metadata. The batch does not refer to the bytes of
// the records.
type Decode func(records [][]byte) (Batch, error)

// Log is one segment.Log, split into the three interfaces that this package uses. See segment.Log for the contract of each
// method.
type Log struct {
	RecordWriter
	RecordReader
	Backlog
}

// NewLog returns the roles of a log.
func NewLog(l *segment.Log) Log { return Log{l, l, l} }

// RecordWriter is a log or a dead letter to append to.
type RecordWriter interface {
	AppendBefore(record []byte, limit time.Time) error
	CheckAppend(bytes int64) error
	Maintain() error
	Close() error
}

// RecordReader is a log to replay and to drop from.
type RecordReader interface {
	Next() (e segment.Entry, ok bool, err error)
	Done(e segment.Entry) error
	DropOldest(visit func(record []byte)) (bool, error)
	Readable() <-chan struct{}
	Cursor() segment.Position
}

// Backlog is the size of a log.
type Backlog interface {
	Empty() bool
	Stats() segment.Stats
}

// Observer observes a lane by role. The methods may be called concurrently and must not call the lane. The items are a
// ledger: received = delivered + in the log + in the dead letter + dropped + rejected + expired.
type Observer struct {
	SentItems
	StoredItems
	Attempts
	Messages
}

// SentItems counts items that callers passed to the lane or that the downstream accepted.
type SentItems interface {
	Received(items int)
	DeliveredDirect(items int)
	DeliveredReplayed(items int)
	// Late counts items that strict order delivered after later ones. They also count as delivered.
	Late(items int)
	// Rejected counts items whose caller got an error.
	Rejected(items int)
}

// StoredItems counts items that were written to a log or given up.
type StoredItems interface {
	Logged(reason Reason, items, size int)
	// DeadLettered is called for each record that goes to the dead letter. cause is the downstream's last answer.
	DeadLettered(reason Reason, items int, cause error)
	Dropped(reason Drop, items int)
	Expired(items int)
}

// Attempts counts attempts and failures.
type Attempts interface {
	Exported(took time.Duration)
	ReplayFailed()
	Failed(failure.Class)
}

// Messages logs for operators. The lane may call it for every batch, so an implementation must limit the rate. err may be
// nil.
type Messages interface {
	Warn(c failure.Class, message string, err error)
	Error(c failure.Class, message string, err error)
}
