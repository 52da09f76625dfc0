package segment

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// SyncMode defines when an append is durable.
type SyncMode int

const (
	// SyncBatch makes a record durable before Append returns.
	SyncBatch SyncMode = iota
	// SyncInterval makes it durable within Options.SyncInterval: a power loss loses at most that much.
	SyncInterval
	// SyncNone leaves durability to the kernel: a crash of the process loses nothing, a power loss up to half a minute.
	SyncNone
)

// Format finds the end of a record and verifies it. Implementations keep no state.
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

// Kind is a kind of segment. The file's extension, with its dot, identifies the format of its records.
type Kind struct {
	Extension string
	Format    Format
}

// Damage is a loss of bytes or files of the log.
type Damage struct {
	Kind  DamageKind `json:"kind"`
	Path  string     `json:"path"` // of the segment, or of the directory if files are gone
	Start int64      `json:"start"`
	Bytes int64      `json:"bytes"` // bytes lost from Start on; 0 if the number is not known
}

// DamageKind is the cause of a damage.
type DamageKind string

// The kinds of damage.
const (
	Corrupt DamageKind = "corrupt" // bytes that are no record
	Emptied DamageKind = "emptied" // a segment is empty, or shorter than the cursor's position in it
	Missing DamageKind = "missing" // the segment that the cursor points to does not exist
	Taken   DamageKind = "taken"   // files were deleted or moved while the log was in use
)

// DamageKinds are all of them.
var DamageKinds = []DamageKind{Corrupt, Emptied, Missing, Taken}

// Options configure a log. Dir, Kind and Budget are required.
type Options struct {
	Dir    string
	Kind          // of new segments
	Also   []Kind // other kinds of segments to read
	Budget *Budget
	FS     FS               // default OS{}
	Now    func() time.Time // default time.Now

	// NewestFirst makes Next return the newest segments first. See Next.
	NewestFirst bool

	// MaxWait returns how long a call waits for the disk before it fails with ErrStalled. Each call asks once. Default: no
	// limit.
	MaxWait func() time.Duration

	MaxSegmentBytes int64         // a segment is sealed before it would exceed this; a larger record gets a segment of its own
	MaxSegmentAge   time.Duration // the first append after this age seals a segment; 0: never
	Sync            SyncMode
	SyncInterval    time.Duration

	// MakeDir creates Dir when the log is opened, and again if Dir was deleted meanwhile. Default: the function MakeDir.
	MakeDir func() error
	// CheckOwner returns nil if no other process owns Dir. Each operation calls it once. Default: always nil.
	CheckOwner func() error

	// The observers below may be nil. They must not call the log.
	OnSync   func(took time.Duration, err error)
	OnDamage func(Damage)
	OnDone   func(segments int, bytes int64) // segments that Open deletes because the cursor says that they are done
	OnError  func(err error)                 // errors that no caller sees: cursor, removal, quarantine
	// OnCompressed gets the names of unread segments that an earlier version compressed. If it is nil these segments make Open
	// fail.
	OnCompressed func(*CompressedError)
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = OS{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CheckOwner == nil {
		o.CheckOwner = func() error { return nil }
	}
	if o.MaxWait == nil {
		o.MaxWait = func() time.Duration { return math.MaxInt64 }
	}
	if o.MakeDir == nil {
		o.MakeDir = func() error { return MakeDir(o.FS, o.Dir) }
	}
	return o
}

// kinds returns all kinds of segments to read.
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

// ErrCompressed means that a log has unread segments that an earlier version compressed.
var ErrCompressed = errors.New("unread segments are compressed, which this version does not read")

// CompressedError is an ErrCompressed with the names of the files and the command to decompress them.
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
