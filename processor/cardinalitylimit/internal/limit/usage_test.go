package limit

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The usage of an override has the used places of its fullest key, in any order of the keys.
func TestFullestKeyOfAnOverride(t *testing.T) {
	const keys = 10
	for fullest := range keys {
		s := newSet(t, Spec{
			Name: "l", Key: parts(t, "resource.r", "metric.name"), MaxSeries: 100, Action: Drop,
			Overrides: []Override{{Equals: map[Part]string{{source: fromMetric}: "m"}, Max: 10}},
		})
		for key := range keys {
			series := 1
			if key == fullest {
				series = 5
			}
			for id := range series {
				decide(s, nil, fmt.Sprint(key), "", "m", "id", fmt.Sprint(id))
			}
		}
		for range 7 {
			decide(s, nil, "", "", "without override", "id", "1")
		}
		u := s.Sweep()[0].Overrides
		require.Equal(t, []OverrideUsage{{Name: "0", Max: 10, Keys: keys, Series: keys + 4, Fullest: 5}}, u)
	}
}

// A key without used places is not among the fullest keys. The tracker of the keys beyond max_keys is such a key.
func TestEmptyKeysAreNotAmongTheFullest(t *testing.T) {
	s := newSet(t, Spec{Name: "l", Key: parts(t, "metric.name"), MaxSeries: 10, Action: Drop})
	require.Empty(t, s.Sweep()[0].Fullest)
	decide(s, nil, "", "", "m", "id", "1")
	require.Equal(t, []KeyUsage{{Key: "metric.name=m", Series: 1, Max: 10}}, s.Sweep()[0].Fullest)
}
