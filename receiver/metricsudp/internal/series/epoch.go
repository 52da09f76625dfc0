package series

import "github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"

// Stats are the counts of one reader in one epoch.
type Stats struct {
	Datagrams     uint64
	Bytes         uint64
	Denied        uint64 // datagrams, not among Datagrams
	Truncated     uint64 // datagrams
	Lines         [line.Kinds]uint64
	Rejected      [line.Reasons]uint64
	Overflowed    uint64 // values that went to an overflow series
	DuplicateTags uint64 // dropped because another tag of the line had the same key
	CleanedLines  uint64 // whose name or tag keys were cleaned
	DroppedPoints uint64 // of those with a time of their own, beyond the buffer

	// NamesWithTags counts new series whose name seems to hold tags, by the format, which is off.
	NamesWithTags [line.Formats]uint64
}

// Epoch is what one reader received between two swaps.
type Epoch struct {
	Stats   Stats
	Aliases int // of the table, both generations
	Timed   []TimedPoint

	half     int
	touched  []*local
	examples [line.Reasons]example
	suspects [line.Formats]example // names that seem to hold tags

	ordered int     // entries of aliases that Merge is to make, which are paid for
	spare   []alias // made
}

// example is the beginning of the first text of a kind.
type example struct {
	text [exampleBytes]byte
	n    uint8
}

func (x *example) set(b []byte) {
	if x.n == 0 {
		x.n = uint8(copy(x.text[:], b))
	}
}

func (x *example) get() []byte { return x.text[:x.n] }

const exampleBytes = 120

func (e *Epoch) reject(reason line.Reason, b []byte) {
	e.Stats.Rejected[reason]++
	e.examples[reason].set(b)
}

// suspectName counts the plain name of a new series if it seems to hold tags of a format that
// is off.
func (e *Epoch) suspectName(name []byte, on line.FormatSet) {
	if f := line.Suspect(name); f != line.Plain && !on.Has(f) {
		e.Stats.NamesWithTags[f]++
		e.suspects[f].set(name)
	}
}

// touch puts a share on the epoch's list: by each line, even one of which nothing
// remains. A series that lines name must not expire, as their aliases do not.
func (e *Epoch) touch(to *local, how use) {
	if to.used[e.half] >= how {
		return
	}
	if to.used[e.half] == unused {
		e.touched = append(e.touched, to)
	}
	to.used[e.half] = how
}

// Example is a refused line of the epoch, shortened; empty where none was refused
// for that reason.
func (e *Epoch) Example(reason line.Reason) []byte {
	return e.examples[reason].get()
}

// Suspect returns a name of the epoch that seems to hold tags of a format, shortened; empty where
// there was none.
func (e *Epoch) Suspect(f line.Format) []byte { return e.suspects[f].get() }

// Merge adds the epoch's shares to their series, calls touched for each of them
// (for a series possibly more than once) and empties the epoch for its reader. A
// series without values is one whose values are points by themselves, or went to the
// overflow series for want of memory: it is in use all the same.
func (e *Epoch) Merge(touched func(s *Series, values bool)) {
	for _, to := range e.touched {
		values := to.used[e.half] == written && to.series.value.merge(to.share, e.half)
		to.used[e.half] = unused
		touched(to.series, values)
	}
	clear(e.touched) // do not keep dropped shares alive
	e.touched = e.touched[:0]
	clear(e.Timed)
	e.Timed = e.Timed[:0]
	for i := range e.examples {
		e.examples[i].n = 0
	}
	for i := range e.suspects {
		e.suspects[i].n = 0
	}
	e.Stats = Stats{}
	if e.ordered > 0 {
		e.spare, e.ordered = make([]alias, e.ordered), 0
	}
}

func (e *Epoch) takeSpare() []alias {
	spare := e.spare
	e.spare = nil
	return spare
}
