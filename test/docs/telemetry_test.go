package docs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var write = flag.Bool("write", false, "write the list of metrics in docs/metrics-and-alerts.md")

const (
	telemetryPage = "docs/metrics-and-alerts.md"
	listBegin     = "<!-- Written by go test ./test/docs -run TestMetricsPage -write -->\n"
	listEnd       = "<!-- End of the written list -->\n"
)

// metric is one of a component's own metrics, as Prometheus scrapes it.
type metric struct {
	name, kind, meaning string
	attributes          []string
}

// component are the metrics that one documentation.md describes.
type component struct {
	title   string
	metrics []metric
}

var (
	described = regexp.MustCompile(`(?ms)^### (otelcol_\S+)\n\n(.*?)\n\n\| Unit [^\n]*\n[^\n]*\n\| ([^|]*) \| (\w+) \|([^\n]*)(.*?)(?:\z|\n###? )`)
	labelRow  = regexp.MustCompile(`(?m)^\| ([a-z_]+) \|`)
	ownName   = regexp.MustCompile(`otelcol_(?:receiver|processor|exporter|connector|extension|process|deltatocumulative)_[a-z0-9_]*`)
	span      = regexp.MustCompile("`[^`\n]*`")
)

// scraped returns the name of a metric on the page of the gateway's own metrics: with the unit, and _total for a counter.
func scraped(name, unit, kind string, monotonic bool) string {
	switch unit {
	case "s":
		name = withSuffix(name, "_seconds")
	case "By":
		name = withSuffix(name, "_bytes")
	}
	if kind == "Sum" && monotonic {
		name = withSuffix(name, "_total")
	}
	return name
}

func withSuffix(name, suffix string) string {
	if strings.HasSuffix(name, suffix) {
		return name
	}
	return name + suffix
}

// components reads the generated documentation.md of every component.
func components(t *testing.T) []component {
	t.Helper()
	var all []component
	for _, kind := range []string{"receiver", "processor", "exporter"} {
		pages, err := filepath.Glob(filepath.Join(root, kind, "*", "documentation.md"))
		require.NoError(t, err)
		for _, page := range pages {
			content, err := os.ReadFile(page)
			require.NoError(t, err)
			c := component{title: filepath.Base(filepath.Dir(page)) + " " + kind}
			rest := string(content)
			for {
				m := described.FindStringSubmatchIndex(rest)
				if m == nil {
					break
				}
				group := func(i int) string { return rest[m[2*i]:m[2*i+1]] }
				monotonic := strings.Contains(group(5), "true")
				found := metric{
					name:    scraped(group(1), group(3), group(4), monotonic),
					kind:    group(4),
					meaning: strings.Join(strings.Fields(group(2)), " "),
				}
				for _, row := range labelRow.FindAllStringSubmatch(group(6), -1) {
					found.attributes = append(found.attributes, row[1])
				}
				c.metrics = append(c.metrics, found)
				rest = rest[m[13]:]
			}
			require.Len(t, c.metrics, strings.Count(string(content), "\n### otelcol_"), page)
			all = append(all, c)
		}
	}
	require.NotEmpty(t, all)
	return all
}

func list(all []component) string {
	var out strings.Builder
	for _, c := range all {
		fmt.Fprintf(&out, "### %s\n\n", c.title)
		for _, m := range c.metrics {
			labels := ""
			if len(m.attributes) > 0 {
				labels = "{" + strings.Join(m.attributes, ",") + "}"
			}
			kind := ""
			if m.kind == "Histogram" {
				kind = " (histogram)"
			}
			fmt.Fprintf(&out, "- `%s%s`%s: %s\n", m.name, labels, kind, m.meaning)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// TestMetricsPage: the page lists every metric of the components under the name that Prometheus scrapes. The live scrape
// that shows the rule for names is e2e/TestMetricsPageAgainstAScrape.
func TestMetricsPage(t *testing.T) {
	path := filepath.Join(root, telemetryPage)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(content), listBegin)
	require.True(t, found, "%s has no line %q", telemetryPage, listBegin)
	got, after, found := strings.Cut(rest, listEnd)
	require.True(t, found, "%s has no line %q", telemetryPage, listEnd)
	want := "\n" + list(components(t))
	if *write {
		require.NoError(t, os.WriteFile(path, []byte(before+listBegin+want+listEnd+after), 0o644))
		return
	}
	for _, line := range missing(got, want) {
		assert.Fail(t, "to be written: "+line, "run go test ./test/docs -run TestMetricsPage -write")
	}
	for _, line := range missing(want, got) {
		assert.Fail(t, "to be removed: "+line, "run go test ./test/docs -run TestMetricsPage -write")
	}
}

// missing returns the lines of the other text that the text does not have.
func missing(text, other string) []string {
	has := strings.Split(text, "\n")
	return slices.DeleteFunc(strings.Split(other, "\n"), func(line string) bool { return slices.Contains(has, line) })
}

// TestPagesNameMetricsAsScraped: a page and a rule name the gateway's own metrics as Prometheus scrapes them. In code
// blocks a part of a name may stand, as in an expression for grep; in running text only one that ends in an underscore.
func TestPagesNameMetricsAsScraped(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, telemetryPage))
	require.NoError(t, err)
	var names []string // the Collector's own are in the page's text
	for _, s := range span.FindAllString(string(content), -1) {
		names = append(names, ownName.FindAllString(s, -1)...)
	}
	histograms := map[string]bool{}
	for _, c := range components(t) {
		for _, m := range c.metrics {
			names = append(names, m.name)
			histograms[m.name] = m.kind == "Histogram"
		}
	}
	slices.Sort(names)
	exact := func(name string) bool {
		if slices.Contains(names, name) {
			return true
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(name, suffix); ok && histograms[base] {
				return true
			}
		}
		return false
	}
	begins := func(part string) bool {
		i, _ := slices.BinarySearch(names, part)
		return i < len(names) && strings.HasPrefix(names[i], part)
	}
	checked := 0
	walk(t, ".md", func(path, content string) {
		if filepath.Base(path) == "documentation.md" || strings.HasSuffix(path, telemetryPage) {
			return
		}
		inCode := false
		for line := range strings.Lines(content) {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				inCode = !inCode
				continue
			}
			for _, name := range ownName.FindAllString(line, -1) {
				checked++
				ok := exact(name) || begins(name) && (inCode || strings.HasSuffix(name, "_"))
				assert.True(t, ok, "%s names %s, which no scrape shows", path, name)
			}
		}
	})
	assert.Greater(t, checked, 20)
	rules := 0
	walk(t, ".yaml", func(path, content string) {
		if !strings.Contains(path, "/deploy/alerts/") {
			return
		}
		for _, name := range ownName.FindAllString(content, -1) {
			rules++
			assert.True(t, exact(name), "%s names %s, which no scrape shows", path, name)
		}
	})
	assert.Greater(t, rules, 5)
}
