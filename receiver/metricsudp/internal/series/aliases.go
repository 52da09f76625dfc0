package series

import (
	"encoding/binary"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// aliases maps the bytes of lines to shares: an open-addressed hash table whose
// keys lie in chunks, so that a new alias costs no allocation of its own.
type aliases struct {
	budget  *budget.Budget
	bytes   int     // taken from the budget
	entries []alias // a power of two of them
	chunks  [][]byte
	n       int // live ones: those that moved to the younger generation are not counted
	cost    int // of the live ones; see cost
}

// aliasBytes is what one alias may take. A longer one counts as several, so that a
// limit on aliases is a limit on their bytes.
const aliasBytes = 256

func cost(l *line.Line) int { return 1 + (len(l.Name)+len(l.Tags)+len(l.Origin))/aliasBytes }

// alias is 24 bytes. It matches when the bytes do, not only the hash.
type alias struct {
	hash  uint64
	local *local // nil: empty
	key   uint32 // chunk<<16 | position
	name  uint16 // length
	tags  uint16 // length
}

const (
	minEntries  = 256
	aliasStruct = 24
	chunkBytes  = 1 << 16
	maxChunks   = 1 << 16 // 4 GiB: alias.key has 16 bits for each half
	keyHeader   = 4       // kind, spelling in two bytes, length of the origin
)

// find returns the share, nil where the line is unknown, and its spelling.
func (a *aliases) find(hash uint64, l *line.Line) (*local, spelling) {
	if a.n == 0 {
		return nil, 0
	}
	mask := uint64(len(a.entries) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		e := &a.entries[i]
		if e.local == nil {
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
			return e.local, spelling(binary.LittleEndian.Uint16(key[1:]))
		}
	}
}

// reserve makes room for a line, or reports that there is none.
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

// chunkFor is the size of the chunk that the line needs, 0 where it fits the last.
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

// add inserts a line that is not there and for which there is room.
func (a *aliases) add(hash uint64, l *line.Line, spelled spelling, to *local) {
	a.place(alias{
		hash: hash, local: to, key: a.store(l, spelled),
		name: uint16(len(l.Name)), tags: uint16(len(l.Tags)),
	})
	a.n++
	a.cost += cost(l)
}

// moved takes a line that went to the younger generation off the count. Its bytes
// stay until the rotation.
func (a *aliases) moved(l *line.Line) {
	a.n--
	a.cost -= cost(l)
}

func (a *aliases) place(e alias) {
	mask := uint64(len(a.entries) - 1)
	i := e.hash & mask
	for a.entries[i].local != nil {
		i = (i + 1) & mask
	}
	a.entries[i] = e
}

// store copies the key to the last chunk.
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
		if e.local != nil {
			a.place(e)
		}
	}
}

// sizeFor is how many entries have room for n aliases.
func sizeFor(n int) int {
	size := minEntries
	for 4*n >= 3*size {
		size *= 2
	}
	return size
}

// successor returns an empty table with room for as many, or the smallest where
// memory is refused: it may grow later. Spare entries, which are paid for, are used
// if they fit, and given back if not.
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

// drop empties the table and gives its memory back.
func (a *aliases) drop() {
	a.budget.Release(a.bytes)
	*a = aliases{budget: a.budget}
}
