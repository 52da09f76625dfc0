package series

import (
	"encoding/binary"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// aliases maps the bytes of lines to parts. It is an open-addressed hash table. Its keys are stored in chunks, so a new alias
// needs no allocation of its own.
type aliases struct {
	budget  *budget.Budget
	bytes   int     // charged to the budget
	entries []alias // length is a power of two
	chunks  [][]byte
	n       int // live aliases, without those that moved to the younger generation
	cost    int // sum of the live aliases' costs; see cost
}

// aliasBytes is the length up to which an alias costs 1. A longer alias costs more, so a limit on aliases is also a limit on
// their bytes.
const aliasBytes = 256

func cost(l *line.Line) int { return 1 + (len(l.Name)+len(l.Tags)+len(l.Origin))/aliasBytes }

// alias has 24 bytes. It matches a line only if the bytes are equal, not only the hash.
type alias struct {
	hash uint64
	part *part  // nil in an empty entry
	key  uint32 // chunk<<16 | position in the chunk
	name uint16 // length of the name
	tags uint16 // length of the tags
}

const (
	minEntries  = 256
	aliasStruct = 24
	chunkBytes  = 1 << 16
	maxChunks   = 1 << 16 // 4 GiB: alias.key has 16 bits for the chunk and 16 for the position
	keyHeader   = 4       // one byte of kind, two of spelling, one of the origin's length
)

// find returns the part and the spelling of a line. The part is nil if the line is unknown.
func (a *aliases) find(hash uint64, l *line.Line) (*part, spelling) {
	if a.n == 0 {
		return nil, 0
	}
	mask := uint64(len(a.entries) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		e := &a.entries[i]
		if e.part == nil {
			return nil, 0
		}
		if e.hash != hash || int(e.name) != len(l.Name) || int(e.tags) != len(l.Tags) {
			continue
		}
		key := a.chunks[e.key>>16][e.key&(chunkBytes-1):]
		if key[0] != byte(l.Kind) || int(key[3]) != len(l.Origin) {
			continue
		}
		tags := keyHeader + len(l.Name)
		origin := tags + len(l.Tags)
		if string(key[keyHeader:tags]) == string(l.Name) && string(key[tags:origin]) == string(l.Tags) &&
			(len(l.Origin) == 0 || string(key[origin:origin+len(l.Origin)]) == string(l.Origin)) {
			return e.part, spelling(binary.LittleEndian.Uint16(key[1:]))
		}
	}
}

// reserve makes room for a line. It reports false if the budget refuses the memory.
func (a *aliases) reserve(l *line.Line) bool {
	need, old := 0, 0
	size, chunk := a.entriesFor(), a.chunkFor(l)
	if chunk > 0 && len(a.chunks) == maxChunks {
		return false
	}
	if size > len(a.entries) {
		need, old = size*aliasStruct, len(a.entries)*aliasStruct
	}
	if !a.budget.Reserve(need + chunk) {
		return false
	}
	if size > len(a.entries) {
		a.resize(size)
	}
	if chunk > 0 {
		a.chunks = append(a.chunks, make([]byte, 0, chunk))
	}
	a.budget.Release(old)
	a.bytes += need + chunk - old
	return true
}

func (a *aliases) entriesFor() int {
	if 4*a.n >= 3*len(a.entries) {
		return max(2*len(a.entries), minEntries)
	}
	return len(a.entries)
}

// chunkFor returns the size of the new chunk that the line needs, or 0 if it fits into the last chunk.
func (a *aliases) chunkFor(l *line.Line) int {
	last := len(a.chunks) - 1
	need := keyHeader + len(l.Name) + len(l.Tags) + len(l.Origin)
	switch {
	case last >= 0 && len(a.chunks[last])+need <= cap(a.chunks[last]):
		return 0
	case last < 0 && need <= chunkBytes/8: // most tables are small
		return chunkBytes / 8
	}
	return chunkBytes
}

// add inserts a line that the table does not contain. reserve must have made room for it.
func (a *aliases) add(hash uint64, l *line.Line, spelled spelling, to *part) {
	a.place(alias{
		hash: hash, part: to, key: a.store(l, spelled),
		name: uint16(len(l.Name)), tags: uint16(len(l.Tags)),
	})
	a.n++
	a.cost += cost(l)
}

// moved subtracts a line that moved to the younger generation from the counts. Its bytes remain charged until the rotation.
func (a *aliases) moved(l *line.Line) {
	a.n--
	a.cost -= cost(l)
}

func (a *aliases) place(e alias) {
	mask := uint64(len(a.entries) - 1)
	i := e.hash & mask
	for a.entries[i].part != nil {
		i = (i + 1) & mask
	}
	a.entries[i] = e
}

// store copies the key to the last chunk and returns its place.
func (a *aliases) store(l *line.Line, spelled spelling) uint32 {
	last := len(a.chunks) - 1
	at := uint32(last)<<16 | uint32(len(a.chunks[last]))
	chunk := binary.LittleEndian.AppendUint16(append(a.chunks[last], byte(l.Kind)), uint16(spelled))
	chunk = append(chunk, byte(len(l.Origin)))
	a.chunks[last] = append(append(append(chunk, l.Name...), l.Tags...), l.Origin...)
	return at
}

func (a *aliases) resize(size int) {
	old := a.entries
	a.entries = make([]alias, size)
	for _, e := range old {
		if e.part != nil {
			a.place(e)
		}
	}
}

// sizeFor returns the number of entries for n aliases.
func sizeFor(n int) int {
	size := minEntries
	for 4*n >= 3*size {
		size *= 2
	}
	return size
}

// successor returns an empty table with room for the same number of aliases. If the budget refuses the memory, it returns a
// table of the smallest size, which may grow later. The spare entries are already charged: successor uses them if they are
// enough, and releases them otherwise.
func (a *aliases) successor(spare []alias) aliases {
	size := sizeFor(a.n)
	if len(spare) >= size {
		return aliases{budget: a.budget, bytes: len(spare) * aliasStruct, entries: spare}
	}
	a.budget.Release(len(spare) * aliasStruct)
	if !a.budget.Reserve(size * aliasStruct) {
		size = minEntries
		a.budget.Force(size * aliasStruct)
	}
	return aliases{budget: a.budget, bytes: size * aliasStruct, entries: make([]alias, size)}
}

// drop empties the table and releases its memory.
func (a *aliases) drop() {
	a.budget.Release(a.bytes)
	*a = aliases{budget: a.budget}
}
