package convert

import "go.opentelemetry.io/collector/pdata/pcommon"

// pairs are the attributes of the point before, by place, and their hashes. The points of a metric mostly
// have the same keys and often the same values, and to compare a text costs a third of what hashing it
// does.
type pairs [8]struct {
	key, value string
	ofKey      uint64 // hash; 0 if there is none
	ofPair     uint64 // hash of a key with a text as its value; 0 if there is none
}

// sum is that of the hashes of the attributes, as [streamid.Hasher.Attributes] has it.
func (p *pairs) sum(m pcommon.Map) (sum uint64) {
	at := 0
	for k, v := range m.All() {
		if at == len(p) {
			sum += identity.Pair(k, v)
			continue
		}
		known := &p[at]
		at++
		if known.ofKey == 0 || known.key != k {
			known.key, known.ofKey, known.ofPair = k, identity.String(k), 0
		}
		if v.Type() != pcommon.ValueTypeStr {
			sum += identity.PairOf(known.ofKey, identity.Value(v))
			continue
		}
		if s := v.Str(); known.ofPair == 0 || known.value != s {
			known.value, known.ofPair = s, identity.PairOf(known.ofKey, identity.Value(v))
		}
		sum += known.ofPair
	}
	return sum
}
