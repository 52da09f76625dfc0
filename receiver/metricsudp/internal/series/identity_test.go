package series

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestTagOrderDoesNotMatter(t *testing.T) {
	g := newGroup(testOptions())
	g.add(0, 0, "a:1|c|#x:1,y:2,z", "a:1|c|#z,y:2,x:1", "a:1|c|#z:,x:1,,y:2", "a:1|c|@1|#y:2,z,x:1")
	found := g.flush()
	assert.Equal(t, int64(4), whole(must(t, found, "a|counter|x=1|y=2|z=")))
	assert.Len(t, found, 1)
}

func TestOfDuplicateTagsTheGreatestValueHolds(t *testing.T) {
	g := newGroup(testOptions())
	for range 2 { // the second time the lines are known
		g.add(0, 0, "a:1|c|#k:1,k:2,k:2", "a:1|c|#k:2,k:1", "a:1|c|#k:2")
	}
	found := g.flush()
	assert.Equal(t, int64(6), whole(must(t, found, "a|counter|k=2")))
	assert.Len(t, found, 1)
	assert.Equal(t, uint64(2*(2+1)), g.stats.DuplicateTags)
}

func TestManyDuplicateTagsAreCounted(t *testing.T) {
	o := testOptions()
	o.MaxTags = MaxFieldBytes
	g := newGroup(o)
	for range 2 { // the second time the lines are known
		g.add(0, 0, "a:1|c|#"+strings.Repeat("k,", 1000))
	}
	must(t, g.flush(), "a|counter|k=")
	assert.Equal(t, uint64(2*999), g.stats.DuplicateTags)
}

func TestInvalidUTF8IsReplaced(t *testing.T) {
	g := newGroup(testOptions())
	g.add(0, 0, "n\xff:1|c|#k\xfe:v\x80\xc3", "ok:1|c")
	for _, s := range g.flush() {
		assert.True(t, utf8.ValidString(s.Metric.Name))
		for tag := range s.Tags {
			assert.True(t, utf8.ValidString(tag.Key), "%q", tag.Key)
			assert.True(t, utf8.ValidString(tag.Value), "%q", tag.Value)
			assert.Contains(t, tag.Value, "\uFFFD")
		}
	}
}

func TestNamesAndTagsAreToldApart(t *testing.T) {
	g := newGroup(testOptions())
	g.add(0, 0, "ab:1|c|#c", "a:1|c|#bc", "abc:1|c", "abc:1|g", "abc:1|c|#", "abc:1|ms", "abc:1|h", "abc:1|d")
	assert.Len(t, g.flush(), 7) // "abc:1|c" and "abc:1|c|#" are the same
}
