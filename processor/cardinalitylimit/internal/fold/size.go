package fold

import "go.opentelemetry.io/collector/pdata/pcommon"

const (
	// seriesBytes is the size of an accumulator without its value and its texts: 445 B measured, including its share of the
	// index.
	seriesBytes = 640
	// attributeBytes is the size of an attribute without its texts: 32 B in a slice with up to twice the necessary capacity, 16
	// B for the value, and 16 B for the rounding of the allocator.
	attributeBytes = 96
	// metadataBytes is the size of a map of a few texts.
	metadataBytes = 400
)

// bytes is the size of an accumulator of the series without its value. Senders choose the length of the texts and the number of
// attributes.
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
