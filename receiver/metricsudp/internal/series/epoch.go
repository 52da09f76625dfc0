package series

import "github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"

// Stats are the counts of one reader in one epoch.
type Stats struct {
	Datagrams     uint64
	Bytes         uint64
	Denied        uint64 // denied datagrams; Datagrams does not include them
	Truncated     uint64 // truncated datagrams
	Lines         [line.Kinds]uint64
	Rejected      [line.Reasons]uint64 // rejected lines
	Overflowed    uint64               // values that went to an overflow series
	DuplicateTags uint64               // tags dropped because another tag of the line had the same key
	CleanedLines  uint64               // lines whose name or tag keys were cleaned
	DroppedPoints uint64               // timed points for which the epoch or the buffer had no room

	// NamesWithTags counts new series whose name seems to contain tags of a format that is switched off, by format.
	NamesWithTags [line.Formats]uint64
}

// Epoch is what one reader received between two swaps.
type Epoch struct {
	Stats   Stats
	Aliases int // of the table, in both generations
	Timed   []TimedPoint

	registry *Registry             // of the series
	half     int                   // index of the epoch's half in every accumulator
	touched  []*part               // parts that the epoch's lines named
	examples [line.Reasons]example // rejected lines
	suspects [line.Formats]example // names that seem to contain tags

	ordered int     // number of alias entries that Merge has to allocate; they are already charged
	spare   []alias // the entries that Merge allocated
}

// example keeps the beginning of the first text that it is set to.
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

// suspectName counts the plain name of a new series if it seems to contain tags of a format that is not on.
func (e *Epoch) suspectName(name []byte, on line.FormatSet) {
	if f := line.Suspect(name); f != line.Plain && !on.Has(f) {
		e.Stats.NamesWithTags[f]++
		e.suspects[f].set(name)
	}
}

// touch adds a part to the epoch's list. Every line touches its part, even if its values are dropped or become timed points:
// a series that lines name must not expire, because its aliases do not expire either.
func (e *Epoch) touch(to *part, how use) {
	if to.used[e.half] >= how {
		return
	}
	if to.used[e.half] == unused {
		e.touched = append(e.touched, to)
	}
	to.used[e.half] = how
}

// Example returns the beginning of a rejected line of the epoch. It is empty if no line was rejected for that reason.
func (e *Epoch) Example(reason line.Reason) []byte {
	return e.examples[reason].get()
}

// Suspect returns the beginning of a name of the epoch that seems to contain tags of a format. It is empty if no name does.
func (e *Epoch) Suspect(f line.Format) []byte { return e.suspects[f].get() }

// Merge merges the epoch's parts into their series and empties the epoch for its reader. It calls touched for each part, so
// possibly several times for a series. The argument values is false if the values became timed points, or went to the overflow
// series because the budget refused memory. The series is in use nevertheless. Only the flusher may call Merge, after
// [Registry.Advance].
func (e *Epoch) Merge(touched func(s *Series, values bool)) {
	for i, to := range e.touched {
		if i%WarmSeries == 0 {
			warmParts(e.touched[i:min(i+WarmSeries, len(e.touched))])
		}
		values := to.used[e.half] == written && to.series.value.merge(to.accumulator, e.half)
		to.used[e.half] = unused
		to.series.lastUsed.Store(e.registry.swap)
		touched(to.series, values)
	}
	clear(e.touched) // so that the list keeps no removed part in memory
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

func (e *Epoch) removeSpare() []alias {
	spare := e.spare
	e.spare = nil
	return spare
}
