package series

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// vector is a line with its result.
type vector struct {
	line string
	want string // the series and their values, or the reason for which the line is refused
}

// vectors are cases from the tests of other servers: lines on which servers differ, or that are easy to parse wrong. The cases are
// theirs, the lines and expectations are ours. If a server reads a line differently, the comment says how ("there").
var vectors = map[string][]vector{
	"statsd_exporter": {
		{"reqs:100|c|#a:1,#b:2", "reqs{a=1 b=2} 100"}, // a # before each tag
		{"reqs:100|c|#0first:1,with.dots:2,with-dash:3", "reqs{0first=1 with-dash=3 with.dots=2} 100"},
		{"reqs:100|c|#a:b:c", "reqs{a=b:c} 100"},
		{"reqs:100|c|#a:x=y", "reqs{a=x=y} 100"},
		{"reqs:100|c|#a:", "reqs{a=} 100"},
		{"reqs:100|c|#:b", "bad_tag"}, // the tag alone is skipped there
		{"reqs:100|c|#a:1,,b:2,", "reqs{a=1 b=2} 100"},
		{"reqs:100|c|@0.1|#a:1", "reqs{a=1} 1000"},
		{"reqs:100|c|#a:1|@0.1", "reqs{a=1} 1000"},
		{"reqs:100|c|@x", "bad_rate"}, // 1 there
		{"reqs:100|c|@0", "bad_rate"}, // 1 there
		{"reqs:1|c:2|c", "unknown_type"},
		{"reqs:1|c|:2|c", "unknown_type"},
		{"reqs:1:2:3|c", "reqs{} 6"},
		{"reqs:1:2:x|c", "bad_value"},
		{"reqs:100|c|", "reqs{} 100"},
		{"reqs:100|c||#a:1", "reqs{a=1} 100"},
		{"reqs:x|g", "bad_value"},
		{"reqs:|c", "no_value"},
		{"reqs:1|x", "unknown_type"},
		{"reqs", "no_value"},
		{":1|c", "no_name"},
		{"r\xffq:1|c|#a:\xfe", "r\uFFFDq{a=\uFFFD} 1"},
		{"reqs,a=1:1|c", "reqs,a=1{} 1"}, // tags there, here with tag_formats
	},
	"gostatsd": {
		{"da-sh.under_score.1:4|c", "da-sh.under_score.1{} 4"},
		{"a/b c:4|c", "a/b c{} 4"}, // a-b_c there, here with name_cleaning
		{"temp:-1|g", "temp{} -1"},
		{"temp:+1|g", "temp{} 1"},
		{"users:john:42|s", "users{} 1"},
		{"users:|s", "no_value"},
		{"took:3|c|#bare,key:v", "took{bare= key=v} 3"},
		{"took:3|ms|@0.1", "took{} n10 30"},
		{"took:3|ms|@-0.1", "bad_rate"},
		{"took:3|ms|@2", "bad_rate"},
		{"took:3|c|#a|#b", "took{b=} 3"},
		{"took:1.5e2|c", "took{} 150"},
		{"took:1|c|c:0123456789ab", "took{} 1"},
	},
	"etsy": {
		{"hits: 1 | c ", "hits{} 1"},
		{"hits:1|c|0.1", "hits{} 1"}, // refused there: a rate needs its @
		{"hits:1|z", "unknown_type"}, // a counter there
		{"hits:1", "no_type"},
		{"took:-1|ms", "took{} n1 -1"}, // refused there
		{"level:10|g", "level{} 10"},
		{"hits:1|c|@0.5|#a:b", "hits{a=b} 2"},
		{"hits:.5|c|@0.5", "hits{} 1"},
		{"hits:1_000|c", "bad_value"},
		{"hits:0x10|c", "bad_value"}, // 16 there
		{"hits:Infinity|g", "bad_value"},
	},
	"Telegraf": {
		{"  hits:1|c", "hits{} 1"},
		{"hits:1|c  ", "hits{} 1"},
		{"time:4.6968460083008E-5|ms", "time{} n1 4.6968460083008e-05"},
		{"idle:42|c:43|ms", "unknown_type"}, // two metrics there
		{"online:100|c|@0.1|#country:china,environment", "online{country=china environment=} 1000"},
		{"no.pipe:45g", "no_type"},
		{"no.colon|1", "no_value"},
		{"none:foobar|c", "bad_value"},
		{"plus:+10|c", "plus{} 10"},
		{"minus:-10|c", "negative_counter"},
		{"words:+10|s", "words{} 1"},
		{"level:-.5|g", "level{} -0.5"},
		{"path:1|c|#url:http://h:80/x?a=b", "path{url=http://h:80/x?a=b} 1"},
	},
	"Datadog Agent": {
		{"daemon:666|g|#t1:v1,t2:v2", "daemon{t1=v1 t2=v2} 666"},
		{"daemon:666:777|g", "daemon{} 777"},
		{"daemon:666:777|ms", "daemon{} n2 1443"},
		{"daemon:666::777:|d", "daemon{} n2 1443"},
		{"daemon:abc:def|s", "daemon{} 1"},
		{"daemon:666|m", "unknown_type"},
		{"daemon:666|g|@0.21", "daemon{} 666"},
		{"daemon:1|c|#t:1,t:1", "daemon{t=1} 1"},
		{"daemon:1|c|#t:1,t:2", "daemon{t=2} 1"}, // both are kept there
		{"daemon:1|c|#dd.internal.entity_id:uid,dd.internal.card:low,host:a", "daemon{host=a} 1"},
		{"daemon:1|c|m:new|#t:1", "daemon{t=1} 1"},
		{"daemon:1|c|T0", "bad_timestamp"},
		{"daemon:1|c|T-1", "bad_timestamp"},
		{"daemon:1|c|T1.5", "bad_timestamp"},
		{"daemon:1|ms|T1658934092", "daemon{} n1 1"},
		{"daemon:NaN|g", "bad_value"}, // dropped there with an error in the log
		{"daemon:1|c|card:high|e:it-false|c:in-1", "daemon{} 1"},
		{"::::|g", "no_name"},
		{"daemon:|g", "no_value"},
		{"|s", "no_value"},
		{"日本語:1|c|#ключ:значение", "日本語{ключ=значение} 1"},
		{"a.b|c:1|c", "no_value"},
	},
}

func TestVectorsOfOtherServers(t *testing.T) {
	for server, all := range vectors {
		for _, v := range all {
			t.Run(server+" "+v.line, func(t *testing.T) {
				o := testOptions()
				o.TimedCounters, o.TimedGauges = false, false
				g := newGroup(o)
				g.add(0, 0, v.line)
				found := g.flush()
				if rejected := totalOf(g.stats.Rejected[:]); rejected > 0 {
					for reason, n := range g.stats.Rejected {
						if n > 0 {
							assert.Equal(t, v.want, line.Reason(reason).String())
						}
					}
					assert.Empty(t, found)
					return
				}
				var got []string
				for _, s := range found {
					got = append(got, describe(s))
				}
				assert.Equal(t, v.want, strings.Join(got, ", "))
			})
		}
	}
}

// describe returns a series and its value as text.
func describe(s *Series) string {
	var tags []string
	for tag := range s.Tags {
		tags = append(tags, tag.Key+"="+tag.Value)
	}
	id := fmt.Sprintf("%s{%s} ", s.Metric.Name, strings.Join(tags, " "))
	switch v := s.value.(type) {
	case *SumValue:
		return id + fmt.Sprint(whole(s))
	case *LastValue:
		return id + fmt.Sprint(v.Gauge)
	case *UniqueValue:
		return id + fmt.Sprint(v.Members())
	case *DistributionValue:
		h := v.Histogram()
		return id + fmt.Sprintf("n%d %v", h.Count, h.Sum)
	}
	return id
}
