package segment

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// SyncMode says when an append is durable.
type SyncMode int

const (
	// SyncBatch makes a record durable before Append returns.
	SyncBatch SyncMode = iota
	// SyncInterval makes it durable within Options.SyncInterval: a power loss loses at most that much.
	SyncInterval
	// SyncNone leaves it to the kernel: a crash of the process loses nothing, a power loss up to half a minute.
	SyncNone
)

// Format says where a record ends and whether it is whole. Implementations keep no state.
type Format interface {
	// Next looks at the front of data, which begins where a record should.
	//
	//	record != nil, n > 0   a whole, verified record; n bytes are used up, its terminator included
	//	record == nil, n > 0   n bytes of damage, after which another record may begin
	//	n == 0                 the record is not complete: more bytes are needed, or, when final, the tail is torn
	//
	// final says that nothing follows data. The record is a part of data.
	Next(data []byte, final bool) (record []byte, n int)
}

// Kind is a kind of segment: a file's extension, with the dot, says what format its records have.
type Kind struct {
	Extension string
	Format    Format
}

// Damage is something that the log has lost.
type Damage struct {
	Kind  DamageKind `json:"kind"`
	Path  string     `json:"path"` // of the segment, or of the directory if files are gone
	Start int64      `json:"start"`
	Bytes int64      `json:"bytes"` // that were lost, from Start on; 0: it is not known how many
}

// DamageKind says what happened.
type DamageKind string

// The kinds of damage.
const (
	Corrupt DamageKind = "corrupt" // bytes that are no record
	Emptied DamageKind = "emptied" // a segment without a byte, or with fewer than the cursor has passed
	Missing DamageKind = "missing" // the segment in which the cursor stands is not there
	Taken   DamageKind = "taken"   // files have been deleted or moved while the log was in use
)

// DamageKinds are all of them.
var DamageKinds = []DamageKind{Corrupt, Emptied, Missing, Taken}

// Options of a log. Dir, Kind and Budget are required.
type Options struct {
	Dir    string
	Kind          // of the segments that are written
	Also   []Kind // other kinds that may be there and are read
	Budget *Budget
	FS     FS               // default OS{}
	Now    func() time.Time // default time.Now

	// NewestFirst makes Next return what was appended last first. See Next.
	NewestFirst bool

	// Patience is for how long a call waits for the disk before it fails with ErrStalled; default: without end. It
	// is asked once by each call.
	Patience func() time.Duration

	MaxSegmentBytes int64         // a segment is sealed before it would exceed this; one larger record has its own
	MaxSegmentAge   time.Duration // a segment is sealed by the first append after this age; 0: never
	Sync            SyncMode
	SyncInterval    time.Duration

	// MakeDir makes Dir when it is opened, and again when it has been deleted under way; default MakeDir.
	MakeDir func() error
	// Owned is asked once by each operation: nil while Dir is nobody else's; default: it always is.
	Owned func() error

	// Observers; each may be nil. They must not call the log.
	OnSync   func(took time.Duration, err error)
	OnDamage func(Damage)
	OnDone   func(segments int, bytes int64) // what Open finds and deletes, since the cursor says that it was dealt with
	OnError  func(err error)                 // errors that no caller sees: cursor, removal, quarantine
	// OnCompressed lets Open succeed beside unread segments that an earlier version compressed, and names them.
	OnCompressed func(*CompressedError)
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = OS{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Owned == nil {
		o.Owned = func() error { return nil }
	}
	if o.Patience == nil {
		o.Patience = func() time.Duration { return math.MaxInt64 }
	}
	if o.MakeDir == nil {
		o.MakeDir = func() error { return MakeDir(o.FS, o.Dir) }
	}
	return o
}

// kinds are those of the segments that are read.
func (o *Options) kinds() []Kind { return append([]Kind{o.Kind}, o.Also...) }

func (o *Options) damaged(d Damage) {
	if o.OnDamage != nil {
		o.OnDamage(d)
	}
}

func (o *Options) report(err error) {
	if o.OnError != nil && err != nil {
		o.OnError(err)
	}
}

// ErrCompressed says that a log has unread segments that an earlier version compressed.
var ErrCompressed = errors.New("unread segments are compressed, which this version does not read")

// CompressedError is an ErrCompressed with what to do.
type CompressedError struct{ Files []string }

// Unwrap returns ErrCompressed.
func (e *CompressedError) Unwrap() error { return ErrCompressed }

func (e *CompressedError) Error() string {
	quoted := make([]string, 0, len(e.Files))
	for _, f := range slices.Sorted(slices.Values(e.Files)) {
		quoted = append(quoted, "'"+strings.ReplaceAll(f, "'", `'\''`)+"'")
	}
	return fmt.Sprintf("%v: decompress them with `unzstd --rm %s`, as the user of the gateway", ErrCompressed, strings.Join(quoted, " "))
}
