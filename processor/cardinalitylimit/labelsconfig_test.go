package cardinalitylimit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLabelRulesAreChecked(t *testing.T) {
	c := config(func(c *Config) {
		c.Labels = []LabelsConfig{
			{Gauge: "last", MaxStreams: 1},
			{Match: map[string]any{"metric": 1, "resource.a": 2}, Drop: []string{"("}, Keep: []string{"a"}, Gauge: "x"},
		}
		l := limitOf(1, "drop")
		l.Name, l.Match = "labels::0", map[string]any{"attribute.a": "x"}
		values := limitOf(0, "strip", "metric.name")
		values.Name, values.MaxValues, values.Labels, values.Except = "v", 1, []string{"a"}, []string{"resource.b"}
		series := limitOf(1, "drop", "metric.name")
		series.Name, series.Labels = "s", []string{"a"}
		c.Limits = []LimitConfig{l, values, series}
	})
	err := c.Validate()
	require.Error(t, err)
	for _, text := range []string{
		"labels::0::match: must be at least one condition (got 0)",
		"labels::0::drop: must be at least one label, or keep at least one (got 0)",
		`labels::1::match::metric: must be metrics or resource.<name> (got "metric")`,
		`labels::1::match::resource.a: must be a string (got "int")`,
		`labels::1::drop: must be absent where keep is set (got "[(]")`,
		`labels::1::gauge: must be one of`,
		"labels::1::max_streams: must be from 1 to 1000000000 (got 0)",
		`limits::0::name: must be a name that does not begin with "labels::" (got "labels::0")`,
		"limits::0::key: must be a list of parts; an empty one is one key for everything (got \"nothing\")",
		`limits::0::match::attribute.a: must be metrics, resource.<name>, scope.name or metadata.<name> (got "attribute.a")`,
		`limits::1::labels: must be absent where except is set (got "[a]")`,
		`limits::1::except::0: must be a label of points (got "resource.b")`,
		`limits::2::labels: must be absent where max_values is not set (got "[a]")`,
	} {
		assert.ErrorContains(t, err, text)
	}
}

// Only a text that begins with "resource." is about resources. An expression that hides this beginning would match nothing.
func TestHiddenPrefixesAreRefused(t *testing.T) {
	refused := []string{
		`resource\.k8s.pod.uid`, `resource[.]k8s.*`, `^resource.k8s.pod.uid`, `^resource\.k8s`, `(resource.a)`, `(?:resource\.a)`, `(?i)resource\.a`,
		`\Qresource.a\E`, `(resource.a|resource.b)`, `a|resource.b`, `(^resource\.a)|b`, `resource.a|resource.b`, `resource.a|(resource.b)`, `.*|resource.b`, `resource(\.a|_b)`,
	}
	accepted := []string{
		`resource.k8s.pod.uid`, `resource.k8s\..*`, `resource.(a|b)`, `resource.resource.a`, `resource_id`, `resource_.*`, `resourceful|other`,
		`my\.resource\.a`, `trace\..*`, `.*`, `a|b`, `resource`, `[a-z]+\.a`, `re|source.a`,
	}
	for text, field := range map[string]string{
		"labels::0::drop::%d: must be an expression that begins with":   "drop",
		"labels::0::keep::%d: must be an expression that begins with":   "keep",
		"limits::0::labels::%d: must be an expression that begins with": "labels",
		"limits::0::except::%d: must be a label of points":              "except",
	} {
		with := func(names []string) error {
			return config(func(c *Config) {
				l := limitOf(0, "strip", "metric.name")
				l.MaxValues = 1
				rule := ruleOf(".*", "id")
				switch field {
				case "drop":
					rule.Drop = names
				case "keep":
					rule.Drop, rule.Keep = nil, names
				case "labels":
					l.Labels = names
				case "except":
					l.Except = names
				}
				c.Labels, c.Limits = []LabelsConfig{rule}, []LimitConfig{l}
			}).Validate()
		}
		err := with(refused)
		require.Error(t, err)
		for i := range refused {
			require.ErrorContains(t, err, fmt.Sprintf(text, i), "%s of %s", refused[i], field)
		}
		for _, name := range accepted {
			if field != "except" || !strings.HasPrefix(name, resourcePrefix) {
				require.NoError(t, with([]string{name}), "%s of %s", name, field)
			}
		}
	}
	err := config(func(c *Config) { c.Labels = []LabelsConfig{ruleOf(".*", refused[0])} }).Validate()
	require.EqualError(t, err, `labels::0::drop::0: must be an expression that begins with "resource." itself if it is about resources; `+
		`alternatives are items of their own (got "resource\\.k8s.pod.uid")`)
}

// Keys and conditions contain plain names. A name with a backslash would match nothing.
func TestEscapedNamesAreRefused(t *testing.T) {
	c := config(func(c *Config) {
		rule := ruleOf(".*", "id")
		rule.Match[`resource.a\.b`] = "x"
		l := limitOf(1, "drop", `attribute.a\.b`, `resource.a\.b`)
		l.Match = map[string]any{`metadata.x\-tenant`: "x"}
		l.Overrides = []OverrideConfig{{Match: map[string]any{`resource.a\.b`: "x"}, MaxSeries: 2}}
		c.Labels, c.Limits = []LabelsConfig{rule}, []LimitConfig{l}
	})
	const must = ": must be a name without a backslash, not a regular expression (got "
	require.EqualError(t, c.Validate(), strings.Join([]string{
		`labels::0::match::resource.a\.b` + must + `"resource.a\\.b")`,
		`limits::0::match::metadata.x\-tenant` + must + `"metadata.x\\-tenant")`,
		`limits::0::key::0` + must + `"attribute.a\\.b")`,
		`limits::0::key::1` + must + `"resource.a\\.b")`,
		`limits::0::overrides::0::match::resource.a\.b` + must + `"resource.a\\.b")`,
	}, "\n"))
}
