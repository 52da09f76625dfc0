package series

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

func formatOptions(formats ...line.Format) Options {
	o := testOptions()
	for _, f := range formats {
		o.Limits.NameFormats.Add(f)
	}
	return o
}

func allFormats() Options {
	return formatOptions(line.Influx, line.Librato, line.SignalFx, line.Graphite, line.Lyft)
}

// One series can be written in each format.
func TestFormatsAreOneSeries(t *testing.T) {
	g := newGroup(allFormats())
	for range 2 { // the second time they are known
		g.add(0, 0, "users:1|c|#host:a,dc:b", "users,dc=b,host=a:1|c", "users#host=a,dc=b:1|c", "us[host=a,dc=b]ers:1|c",
			"users;host=a;dc=b:1|c", "users.__dc=b.__host=a:1|c")
	}
	found := g.flush()
	assert.Len(t, found, 1)
	assert.EqualValues(t, 12, whole(must(t, found, "users|counter|dc=b|host=a")))
	assert.Equal(t, [line.Formats]uint64{}, g.stats.NamesWithTags)
}

// Bytes that separate tags of one format belong to the values of another.
func TestSeparatorsInValues(t *testing.T) {
	g := newGroup(allFormats())
	g.add(0, 0, "a;k=x,y:z;w=v:1|c", "a;k=x;y=z:1|c", "a,k=x;y:1|c", "b.__k=x,y:1|c", "a,k:l=x:1|c", "a,k=l:x:1|c")
	found := g.flush()
	assert.Len(t, found, 6)
	for _, id := range []string{
		"a|counter|k=x,y:z|w=v", "a|counter|k=x|y=z", "a|counter|k=x;y", "b|counter|k=x,y", "a|counter|k:l=x", "a|counter|k=l:x",
	} {
		assert.EqualValues(t, 1, whole(must(t, found, id)))
	}
	assert.Equal(t, 2, must(t, found, "a|counter|k=x,y:z|w=v").TagCount())
}

func TestTagsInNamesAreChecked(t *testing.T) {
	o := allFormats()
	o.MaxTags, o.SimpleTags = 2, false
	g := newGroup(o)
	g.add(0, 0, "a,k=1,l=2,m=3:1|c", "a;k:1|c", "a,=v:1|c", "a[k=]:1|c", "a,k=1,k=2:1|c", "a,k=1:1|c|#l:2")
	found := g.flush()
	assert.Len(t, found, 1)
	must(t, found, "a|counter|k=2")
	assert.EqualValues(t, 1, g.stats.DuplicateTags)
	assert.EqualValues(t, 1, g.stats.Rejected[line.TooManyTags])
	assert.EqualValues(t, 3, g.stats.Rejected[line.BadTag])
	assert.EqualValues(t, 1, g.stats.Rejected[line.MixedTags])
}

// Each new series whose name seems to contain tags is counted once, even if several tables receive it.
func TestNamesWithTagsAreCounted(t *testing.T) {
	o := formatOptions(line.Graphite)
	o.Tables = 2
	g := newGroup(o)
	for range 3 {
		for host := range 5 {
			g.add(host%2, 0, fmt.Sprintf("a,host=%d:1|c", host), fmt.Sprintf("a;host=%d:1|c", host))
			g.add(1-host%2, 0, fmt.Sprintf("a,host=%d:1|c", host))
		}
		g.add(0, 0, "a#b=c:1|c", "a[b=c]:1|g", "a.__b=c:1|ms", "a,b:1|c")
	}
	g.Advance()
	e := g.tables[0].Swap()
	assert.Equal(t, "a,host=0", string(e.Suspect(line.Influx)))
	assert.Empty(t, e.Suspect(line.Graphite))
	counts := e.Stats.NamesWithTags
	e.Merge(func(*Series, bool) {})
	assert.Empty(t, e.Suspect(line.Influx))
	e = g.tables[1].Swap()
	for f, n := range e.Stats.NamesWithTags {
		counts[f] += n
	}
	assert.Equal(t, [line.Formats]uint64{line.Influx: 5, line.Librato: 1, line.SignalFx: 1, line.Lyft: 1}, counts)
}

func TestAllocsOfFormats(t *testing.T) {
	g := newGroup(allFormats())
	datagram := []byte("a,k=v:1|c\na#k=v:2|g\na[k=v]b:3|ms\na;k=v:4|d\na.__k=v:x|s\na:1|c|#k:v\n")
	add := func() { g.tables[0].Datagram(datagram, false, 1, netip.Addr{}) }
	add()
	assert.Zero(t, testing.AllocsPerRun(100, add))
}
