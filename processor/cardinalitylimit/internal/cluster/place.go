package cluster

// Place identifies the place of a series, or of the value of a label, under a limit.
type Place struct {
	Limit  int    // index of the limit
	Key    uint64 // identity of the limit's key
	Series uint64 // identity of the series, as tracker.StoredBits returns it
}

// Want is a stranger that wants a place.
type Want struct {
	Place
	Max       int    // places of the key
	Used      int    // members of the key at this gateway
	Contested int    // members of the key from which on a stranger must have been active before; Max or more: never
	Stamp     uint32 // of the stream's value and start, see limit.Cursor.SetStamp
	Peek      bool   // only ask whether the series has a place, because a stale point gets none

	Answer  Answer // set by Ask
	Entered bool   // set by the caller before Finish: the series uses its place
}

// Answer is the decision on a stranger.
type Answer uint8

// Answers.
const (
	// Refused means that the series gets no place.
	Refused Answer = iota
	// Member means that the series had a place before.
	Member
	// Admitted means that the series has just got a place.
	Admitted
	// Alone means that the store does not answer and that this gateway admits the series.
	Alone
)

// State is the relation of this gateway to the store.
type State int32

// States.
const (
	// Joined means that the store answers.
	Joined State = iota
	// Degraded means that the store does not answer now but has answered since the start.
	Degraded
	// Solo means that the store has not answered since the start.
	Solo
)

var stateNames = [...]string{"joined", "degraded", "alone"}

func (s State) String() string { return stateNames[s] }
