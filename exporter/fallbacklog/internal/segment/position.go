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

// info describes one segment file.
type info struct {
	number  uint64
	created time.Time // of its first record, from the name
	// size is what readers may see: whole records, and with SyncBatch durable ones. The file may be longer after a
	// failed write that could not be cut back.
	size int64
	// disk is what the budget holds for it: the file's length as found at Open, or what has been reserved since.
	disk int64
}

const timeLayout = "20060102T150405.000Z"

// name is `<20 digits>-<UTC time of the first record><extension>`: sorting names sorts segments.
func (i info) name(ext string) string {
	return fmt.Sprintf("%020d-%s%s", i.number, i.created.UTC().Format(timeLayout), ext)
}

// parseName is the inverse of name; ok is false for files that are not segments.
func parseName(name, ext string) (i info, ok bool) {
	base, found := strings.CutSuffix(name, ext)
	if !found || len(base) != 20+1+len(timeLayout) || base[20] != '-' {
		return info{}, false
	}
	number, err := strconv.ParseUint(base[:20], 10, 64)
	if err != nil {
		return info{}, false
	}
	created, err := time.Parse(timeLayout, base[21:])
	if err != nil {
		return info{}, false
	}
	return info{number: number, created: created}, true
}
