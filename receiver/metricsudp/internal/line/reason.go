package line

// Reason is the reason for which a line was refused. It is the value of the telemetry attribute "reason", so its names must not
// change.
type Reason uint8

// The reasons. Parse returns those up to BadTag. The tables return the reasons from BadTag on when they resolve a line.
const (
	OK Reason = iota
	NoName
	NameTooLong
	NoValue
	BadValue
	OutOfRange
	NoType
	UnknownType
	BadRate
	RateTooSmall
	BadTimestamp
	TagsTooLong
	MixedTags
	UnknownField
	BadAnnotation
	BadTag
	TooManyTags
	NegativeCounter
	Truncated
	Reasons // number of reasons
)

var reasonNames = [Reasons]string{
	OK:              "ok",
	NoName:          "no_name",
	NameTooLong:     "name_too_long",
	NoValue:         "no_value",
	BadValue:        "bad_value",
	OutOfRange:      "out_of_range",
	NoType:          "no_type",
	UnknownType:     "unknown_type",
	BadRate:         "bad_rate",
	RateTooSmall:    "rate_too_small",
	BadTimestamp:    "bad_timestamp",
	TagsTooLong:     "tags_too_long",
	MixedTags:       "mixed_tags",
	UnknownField:    "unknown_field",
	BadAnnotation:   "bad_annotation",
	BadTag:          "bad_tag",
	TooManyTags:     "too_many_tags",
	NegativeCounter: "negative_counter",
	Truncated:       "truncated",
}

func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return "unknown"
}
