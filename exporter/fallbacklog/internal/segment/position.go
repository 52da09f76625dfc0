package segment

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Position is a place between two records: the segment's number and the byte offset in it.
type Position struct {
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"`
}

// Before orders positions.
func (p Position) Before(q Position) bool {
	return p.Segment < q.Segment || p.Segment == q.Segment && p.Offset < q.Offset
}

// info describes one segment. All but number, created, kind and what says otherwise is guarded by Log.mu.
type info struct {
	number  uint64
	created time.Time // of its first record, from the name
	kind    Kind
	open    bool // it may still grow
	// size is what readers may see: whole records, and with SyncBatch durable ones, as they were appended. The file may
	// be longer after a failed write that could not be cut back, and shorter when it is packed.
	size int64
	// disk is what the budget holds for it: the file's length as found at Open, or what has been reserved since.
	disk int64
	// packed: the file is the compressed one. It is changed with Log.readMu, saveMu and mu held, and read with any of them.
	packed bool
	// rebuilt: its seek table is damaged. Only Open and Look change it.
	rebuilt bool
	// plain: compressing it has failed, or is of no use.
	plain bool
	// twin: the file of the other kind could not be removed. Guarded by Log.saveMu. Its bytes are in disk, too.
	twin     bool
	twinDisk int64
	read     int64 // where Next goes on
	// done is what has been dealt with; forgotten says that the durable cursor has all of it, and that it is sealed.
	done      spans
	forgotten bool
}

// settled reports whether all that readers may see has been dealt with.
func (i *info) settled() bool { return i.done.past(0) >= i.size }

// spent reports whether nothing of it will be needed again.
func (i *info) spent() bool { return !i.open && i.settled() }

// settle marks the bytes [from, to) as dealt with.
func (i *info) settle(from, to int64) { i.done = i.done.add(from, min(to, i.size)) }

const timeLayout = "20060102T150405.000Z"

// name is `<20 digits>-<UTC time of the first record><extension>`, and `.zst` when it is packed: sorting names sorts
// segments.
func (i *info) name() string { return i.nameAs(i.packed) }

func (i *info) nameAs(packed bool) string {
	name := i.stem() + i.kind.Extension
	if packed {
		name += packedSuffix
	}
	return name
}

const (
	packedSuffix = ".zst"
	tempSuffix   = ".tmp" // behind the name of a packed one in the making
)

func (i *info) stem() string {
	return fmt.Sprintf("%020d-%s", i.number, i.created.UTC().Format(timeLayout))
}

// parseName is the inverse of name; ok is false for files that are not segments of this kind.
func parseName(name string, kind Kind) (i *info, ok bool) {
	packed := false
	if kind.Compressible {
		name, packed = strings.CutSuffix(name, packedSuffix)
	}
	base, found := strings.CutSuffix(name, kind.Extension)
	if !found || len(base) != 20+1+len(timeLayout) || base[20] != '-' {
		return nil, false
	}
	number, err := strconv.ParseUint(base[:20], 10, 64)
	if err != nil {
		return nil, false
	}
	created, err := time.Parse(timeLayout, base[21:])
	if err != nil {
		return nil, false
	}
	return &info{number: number, created: created, kind: kind, packed: packed}, true
}

// sameStem reports whether two files are of one segment.
func (i *info) sameStem(j *info) bool { return i.nameAs(false) == j.nameAs(false) }

// parseKinds returns the segment of this name, of whichever kind, nil where it is none.
func parseKinds(name string, kinds []Kind) *info {
	for _, k := range kinds {
		if i, ok := parseName(name, k); ok {
			return i
		}
	}
	return nil
}
