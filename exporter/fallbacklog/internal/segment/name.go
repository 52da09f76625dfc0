package segment

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	timeLayout = "20060102T150405.000Z"
	// compressedSuffix ends the names of segments that an earlier version compressed. This version does not read them.
	compressedSuffix = ".zst"
)

// name identifies a segment. Its file is `<20 digits>-<UTC time><extension>`, so sorting file names sorts segments.
type name struct {
	number  uint64
	created time.Time // when its first record was appended
	kind    Kind
}

func (n name) String() string { return n.stem() + n.kind.Extension }

// stem returns the file name without its extension.
func (n name) stem() string {
	return fmt.Sprintf("%020d-%s", n.number, n.created.UTC().Format(timeLayout))
}

// parseName parses a file name. ok is false for files that are not segments of these kinds.
func parseName(text string, kinds ...Kind) (n name, ok bool) {
	for _, k := range kinds {
		if stem, found := strings.CutSuffix(text, k.Extension); found {
			if n, ok := parseStem(stem); ok {
				n.kind = k
				return n, true
			}
		}
	}
	return name{}, false
}

// parseStem is the inverse of stem.
func parseStem(stem string) (n name, ok bool) {
	if len(stem) != 20+1+len(timeLayout) || stem[20] != '-' {
		return name{}, false
	}
	number, err := strconv.ParseUint(stem[:20], 10, 64)
	if err != nil {
		return name{}, false
	}
	created, err := time.Parse(timeLayout, stem[21:])
	if err != nil {
		return name{}, false
	}
	return name{number: number, created: created}, true
}

// parseCompressed is parseName for segments that an earlier version compressed.
func parseCompressed(text string, kinds ...Kind) (n name, ok bool) {
	plain, found := strings.CutSuffix(text, compressedSuffix)
	if !found {
		return name{}, false
	}
	return parseName(plain, kinds...)
}
