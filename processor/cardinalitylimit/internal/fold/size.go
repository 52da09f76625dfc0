package fold

import "go.opentelemetry.io/collector/pdata/pcommon"

const (
	// seriesBytes is what an accumulator takes beside its value and its texts: 445 B
	// measured, its share of the index included.
	seriesBytes = 640
	// attributeBytes is what an attribute takes beside its texts: 32 B in a slice
	// that is up to twice as long as what it holds, 16 B for the value, and 16 B by
	// which the allocator rounds up.
	attributeBytes = 96
	// metadataBytes is what a map of a few texts takes.
	metadataBytes = 400
)

// bytes is what an accumulator of the series takes beside its value. Senders choose
// how long the texts are and how many attributes there are.
func (s *Series) bytes() int {
	n := seriesBytes + len(s.Name) + len(s.Description) + len(s.Unit)
	n += len(s.Scope.Name()) + len(s.Scope.Version())
	n += mapBytes(s.Resource.Attributes()) + mapBytes(s.Scope.Attributes()) + mapBytes(s.Attributes)
	if s.Metadata != nil {
		n += metadataBytes
	}
	for k, values := range s.Metadata {
		n += attributeBytes + len(k)
		for _, v := range values {
			n += attributeBytes + len(v)
		}
	}
	return n
}

func mapBytes(m pcommon.Map) (n int) {
	for k, v := range m.All() {
		n += len(k) + valueBytes(v)
	}
	return n
}

func valueBytes(v pcommon.Value) int {
	n := attributeBytes
	switch v.Type() {
	case pcommon.ValueTypeStr:
		n += len(v.Str())
	case pcommon.ValueTypeBytes:
		n += v.Bytes().Len()
	case pcommon.ValueTypeMap:
		n += mapBytes(v.Map())
	case pcommon.ValueTypeSlice:
		for _, item := range v.Slice().All() {
			n += valueBytes(item)
		}
	}
	return n
}
