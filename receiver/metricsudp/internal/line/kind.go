package line

// Kind is what a line holds.
type Kind uint8

// The kinds of lines. Metrics come first, so that they can index a table.
const (
	Invalid Kind = iota
	Counter
	Gauge
	Timer
	Histogram
	Distribution
	Set
	Event
	ServiceCheck
	Kinds // their number
)

var kindNames = [Kinds]string{
	Invalid: "invalid", Counter: "counter", Gauge: "gauge", Timer: "timer", Histogram: "histogram",
	Distribution: "distribution", Set: "set", Event: "event", ServiceCheck: "service_check",
}

func (k Kind) String() string {
	if k < Kinds {
		return kindNames[k]
	}
	return kindNames[Invalid]
}

// kindOf returns Invalid for what is no type of metric. Blanks around a type do not count.
func kindOf(b []byte) Kind {
	switch len(b) {
	case 1:
		switch b[0] {
		case 'c':
			return Counter
		case 'g':
			return Gauge
		case 'h':
			return Histogram
		case 'd':
			return Distribution
		case 's':
			return Set
		}
	case 2:
		if b[0] == 'm' && b[1] == 's' {
			return Timer
		}
	}
	if trimmed := TrimBlanks(b); len(trimmed) < len(b) {
		return kindOf(trimmed)
	}
	return Invalid
}
