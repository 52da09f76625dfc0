package convert

import "go.opentelemetry.io/collector/pdata/pcommon"

// pairs caches the first attributes of the previous point with their hashes, by position. The points of a metric mostly
// have the same keys, and often the same values. Comparing a text costs a third of hashing it.
type pairs [8]struct {
	key, value string
	keyHash    uint64 // 0 before the first point
	pairHash   uint64 // 0 if the value is not known or not a text
}

// sum returns the same hash of the attributes as [streamid.Hasher.Attributes].
func (p *pairs) sum(m pcommon.Map) (sum uint64) {
	at := 0
	for k, v := range m.All() {
		if at == len(p) {
			sum += identity.Pair(k, v)
			continue
		}
		known := &p[at]
		at++
		if known.keyHash == 0 || known.key != k {
			known.key, known.keyHash, known.pairHash = k, identity.String(k), 0
		}
		if v.Type() != pcommon.ValueTypeStr {
			sum += identity.PairOf(known.keyHash, identity.Value(v))
			continue
		}
		if s := v.Str(); known.pairHash == 0 || known.value != s {
			known.value, known.pairHash = s, identity.PairOf(known.keyHash, identity.Value(v))
		}
		sum += known.pairHash
	}
	return sum
}
