package series

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func originGroup(mode OriginMode, change func(*Options)) *group {
	o := testOptions()
	o.Origin = mode
	if change != nil {
		change(&o)
	}
	return newGroup(o)
}

var (
	berlin = netip.MustParseAddr("192.0.2.1")
	lisbon = netip.MustParseAddr("2001:db8::1")
)

func TestOriginsOfAddresses(t *testing.T) {
	g := originGroup(OriginIP, func(o *Options) { o.Tables = 2 })
	for range 2 { // the second time the lines are known
		g.addFrom(0, 0, berlin, "a:1|c|#x:1", "a:2|c")
		g.addFrom(1, 0, netip.MustParseAddr("::ffff:192.0.2.1"), "a:10|c|#x:1")
		g.addFrom(0, 0, lisbon, "a:5|c|#x:1|c:ci-1")
		g.addFrom(1, 0, lisbon.WithZone("eth0"), "a:1|c|#x:1")
		g.addFrom(0, 0, netip.Addr{}, "a:7|c|#x:1")
	}
	found := g.flush()
	assert.Len(t, found, 4)
	assert.Equal(t, int64(22), whole(must(t, found, "a|counter|x=1|from client.address=192.0.2.1")))
	assert.Equal(t, int64(4), whole(must(t, found, "a|counter|from client.address=192.0.2.1")))
	assert.Equal(t, int64(12), whole(must(t, found, "a|counter|x=1|from client.address=2001:db8::1")))
	assert.Equal(t, int64(14), whole(must(t, found, "a|counter|x=1")))
	assert.Equal(t, berlin, must(t, found, "a|counter|from client.address=192.0.2.1").Origin.Addr)
	assert.Equal(t, lisbon, must(t, found, "a|counter|x=1|from client.address=2001:db8::1").Origin.Addr)
	assert.Zero(t, must(t, found, "a|counter|x=1").Origin.Addr)
}

func TestOriginsOfContainers(t *testing.T) {
	const (
		hex  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		ecs  = "0123456789abcdef0123456789abcdef-1234567890"
		uuid = "75a2b6d5-3949-4afb-ad0d-92ff0674e759"
	)
	for fields, want := range map[string]string{
		"":                              "",
		"|c:cid-" + hex:                 "container.id=" + hex,
		"|c:cid-none":                   "",
		"|c:":                           "",
		"|e:":                           "",
		"|c:|e:":                        "",
		"|c:ci-" + hex:                  "container.id=" + hex,
		"|c:" + hex:                     "container.id=" + hex,
		"|c:" + ecs:                     "container.id=" + ecs,
		"|c:" + uuid:                    "container.id=" + uuid,
		"|c:83c0a99c0a54":               "container.id=83c0a99c0a54",
		"|c:ci-web_1.x":                 "container.id=web_1.x",
		"|c:in-4026531835":              "dogstatsd.cgroup.inode=4026531835",
		"|c:ci-a,in-7":                  "container.id=a|dogstatsd.cgroup.inode=7",
		"|c:in-7,ci-a,zz-9,":            "container.id=a|dogstatsd.cgroup.inode=7",
		"|c:ci-a|c:ci-b":                "container.id=b",
		"|c:ci-a:b":                     "container.id=a:b",
		"|e:it-false,cn-web,pu-" + uuid: "k8s.container.name=web|k8s.pod.uid=" + uuid,
		"|e:pu-" + uuid + ",it-true":    "k8s.pod.uid=" + uuid,
		"|e:cn-web|c:ci-a":              "container.id=a|k8s.container.name=web",
		"|card:high|c:ci-a":             "container.id=a",
		"|e:it-false":                   "",
		"|e:cn-,pu-,,zz-1,cn":           "",
		"|c:ci-":                        "",
		"|c:in-":                        "",
		"|c:in-12x":                     "",
		"|c:in-123456789012345678901":   "",
		"|c:short":                      "",
		"|c:" + strings.Repeat("-", 64): "",
		"|c:ci-\xff\xfe":                "",
		"|c:ci-a b":                     "",
		"|c:ci-\x00":                    "",
		"|c:ci-ok,ci-\xff":              "container.id=ok",
		"|c:ci-" + strings.Repeat("x", maxOriginField-3): "container.id=" + strings.Repeat("x", maxOriginField-3),
		"|c:ci-" + strings.Repeat("x", maxOriginField-2): "",
		"|c:ci-a|e:" + strings.Repeat("x", 9000):         "container.id=a",
	} {
		g := originGroup(OriginContainer, nil)
		for range 2 { // the second time the lines are known
			g.addFrom(0, 0, berlin, "a:1|c|#x:1"+fields)
		}
		id := "a|counter|x=1"
		for attribute := range strings.SplitSeq(want, "|") {
			if attribute != "" {
				id += "|from " + attribute
			}
		}
		found := g.flush()
		assert.Equal(t, []string{id}, slices.Sorted(maps.Keys(found)), "%q", fields)
		assert.Equal(t, int64(2), whole(found[id]), "%q", fields)
	}
}

// Lines with equal bytes differ if the bytes are divided differently between tags and origin, or between c: and e:.
func TestOriginsAreToldApart(t *testing.T) {
	g := originGroup(OriginContainer, nil)
	for range 2 {
		g.add(0, 0, "a:1|c|#ci-1", "a:1|c|c:ci-1", "a:1|c|#|c:ci-1", "a:1|c|c:ci-11", "a:1|c|#x|c:ci-1",
			"a:1|c|c:ci-1|e:cn-2", "a:1|c|e:ci-1", "a:1|c|e:cn-1", "a:1|c|c:cn-1", "a:1|c", "a:1|g|c:ci-1", "ab:1|c|c:ci-1")
	}
	found := g.flush()
	assert.Len(t, found, 9)
	assert.Equal(t, int64(4), whole(must(t, found, "a|counter|from container.id=1")), "without tags")
	assert.Equal(t, int64(6), whole(must(t, found, "a|counter")), "an unknown element is no origin")
}

// Without an origin the fields have no effect, not even on aliases.
func TestNoOrigin(t *testing.T) {
	g := originGroup(OriginNone, nil)
	g.addFrom(0, 0, berlin, "a:1|c|c:ci-1", "a:1|c|c:ci-2|e:cn-x")
	g.addFrom(0, 0, lisbon, "a:1|c")
	assert.Equal(t, 1, g.known())
	assert.Equal(t, int64(3), whole(must(t, g.flush(), "a|counter")))
}

// Beyond the limit, a metric has one overflow series for all origins.
func TestOverflowOfOrigins(t *testing.T) {
	g := originGroup(OriginContainer, func(o *Options) { o.MaxSeries, o.Tables, o.MaxAliases = 10, 2, 50 })
	for i := range 1000 {
		g.add(i%2, 0, fmt.Sprintf("a:1|c|c:ci-%d", i), fmt.Sprintf("b:1:2|d|c:ci-%d", i))
	}
	assert.Len(t, g.origins, 1+5)
	assert.LessOrEqual(t, g.known(), 50)
	found := g.flush()
	count, observed := totals(found)
	assert.Equal(t, int64(1000), count)
	assert.Equal(t, uint64(2000), observed)
	assert.Len(t, found, 10+2)
	assert.Equal(t, int64(995), whole(must(t, found, "a|counter|overflow")))
	must(t, found, "b|distribution|overflow")
}

// An origin exists, and is charged, as long as the last of its series.
func TestOriginsExpire(t *testing.T) {
	g := originGroup(OriginIP, func(o *Options) { o.ExpirySwaps, o.Tables = 2, 2 })
	idle := g.budget.Used()
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range 300 {
		g.addFrom(i%2, 0, address(i), "a:1|c", "b:1|c")
	}
	g.flush()
	assert.Len(t, g.origins, 1+300)
	for range 2 {
		g.addFrom(0, 0, address(7), "b:1|c")
		g.flush()
	}
	assert.Equal(t, []string{"", "client.address\n10.0.0.7|"}, slices.Sorted(maps.Keys(g.origins)))
	assert.Equal(t, 1, g.Len())
	for range 4 {
		g.flush()
	}
	assert.Equal(t, []string{""}, slices.Sorted(maps.Keys(g.origins)), "the one without attributes stays")
	assert.Zero(t, g.Len())
	for i := range g.tables {
		g.tables[i].rotate()
		g.tables[i].rotate()
	}
	assert.LessOrEqual(t, g.budget.Used()-idle, int64(3*len(g.tables)*minEntries*aliasStruct),
		"the tables' least: two generations and one in reserve")
	g.addFrom(0, 0, address(7), "b:1|c")
	must(t, g.flush(), "b|counter|from client.address=10.0.0.7")
}

// Origins are charged to the budget. Without memory no origin is created, and the totals are right.
func TestOriginsWithoutMemory(t *testing.T) {
	g := originGroup(OriginContainer, func(o *Options) { o.MaxBytes, o.MaxSeries = 200_000, 1<<30 })
	const n = 5000
	for i := range n {
		g.add(0, 0, fmt.Sprintf("a:1|c|c:ci-%0100d", i))
	}
	require.LessOrEqual(t, g.budget.Used(), int64(200_000))
	require.Less(t, len(g.origins), n/2)
	found, sum := g.flush(), int64(0)
	for _, s := range found {
		sum += whole(s)
	}
	assert.Equal(t, int64(n), sum)
	assert.Len(t, g.origins, len(found), "each has a series; the one of the overflow has none of its own")
}
