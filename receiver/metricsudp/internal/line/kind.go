package line

// Kind is the kind of a line: a type of metric, an event or a service check.
type Kind uint8

// The kinds of lines.
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
	Kinds // number of kinds
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

// kindOf returns the kind of a metric's type, or Invalid for any other text. It ignores blanks around the type.
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
