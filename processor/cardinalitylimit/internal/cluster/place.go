package cluster

// Place is what a series, or the value of a label, has under a limit.
type Place struct {
	Limit  int    // index of the limit
	Key    uint64 // of the limit
	Series uint64 // as a tracker keeps it
}

// Want is a stranger that wants a place.
type Want struct {
	Place
	Max       int    // places of the key
	Held      int    // series of the key that have a place here
	Contested int    // members from which a stranger must have been active before; Max or more: none
	Stamp     uint32 // of the stream's value and start, see limit.Cursor.Stamp
	Peek      bool   // only whether it has a place: a stale point gets none

	Answer  Answer
	Entered bool // set by the caller before Finish: the series has entered
}

// Answer is what becomes of a stranger.
type Answer uint8

// Answers.
const (
	Refused Answer = iota
	// Member: the series has a place already.
	Member
	// Admitted: it has one now.
	Admitted
	// Alone: the store does not answer, and this gateway may let the series in by itself.
	Alone
)

// State says how far this gateway is part of the cluster.
type State int32

// States.
const (
	// Joined: the store answers.
	Joined State = iota
	// Degraded: the store has answered before and does not now.
	Degraded
	// Solo: the store has not answered since the start.
	Solo
)

var stateNames = [...]string{"joined", "degraded", "alone"}

func (s State) String() string { return stateNames[s] }
