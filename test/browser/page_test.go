package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// state is what a test reads of /api/v1/state.
type state struct {
	Verdict struct {
		Level, Text string
		Ready       bool
	}
	Residual *int64
	Routes   []struct {
		Signal, Exporter                     string
		In, Removed                          *struct{ Items int64 }
		Sent, Waiting, Aside, Lost, Returned struct{ Items int64 }
		Residual                             *int64
	}
	Offenders []struct {
		Metric string
		Wanted int64
		WhatIf []struct {
			Label, Remedy  string
			Series, Wanted int64
		} `json:"what_if"`
	}
}

func (g *gateway) state(t testing.TB) (s state) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(get(t, g.page+"/api/v1/state")), &s))
	return s
}

// A label explodes: the page names metric and label, what the count would be without it, and what to paste.
func TestAnExplodedLabelIsNamed(t *testing.T) {
	g := newGateway(t)
	startBackend(t, g.backend)
	g.start(t)
	b := open(t, g.page)
	b.waitFor("#offenders-none", "No metric is over a limit")
	const series, without = 4000, 40
	lines := make([]string, series)
	for i := range lines {
		lines[i] = fmt.Sprintf("order.errors:1|c|#error:text-%d,route:/%d", i, i%without)
	}
	g.send(t, lines...)
	b.waitFor("#offenders", "order.errors")
	eventually(t, "all series are counted", func() bool {
		s := g.state(t)
		return len(s.Offenders) == 1 && s.Offenders[0].Wanted > series*9/10
	})
	o := g.state(t).Offenders[0]
	require.InEpsilon(t, series, o.Wanted, 0.1)
	require.NotEmpty(t, o.WhatIf)
	require.Equal(t, "error", o.WhatIf[0].Label)
	require.InEpsilon(t, without, o.WhatIf[0].Series, 0.1)
	b.waitFor("#offenders", "label error")
	b.waitFor("#offenders", "without error")
	b.waitFor("#offenders pre", "error")
	shown := b.text("#offenders")
	require.Contains(t, shown, "text aaaa-0", "the shape of the values")
	require.NotContains(t, shown, "text-39", "no value is shown")
	require.Equal(t, strings.TrimSpace(o.WhatIf[0].Remedy), strings.TrimSpace(b.text("#offenders pre")))
	b.waitFor("#verdict-parts", "1 metric limited since")

	// What is to be pasted is a valid configuration.
	overlay := write(t, o.WhatIf[0].Remedy)
	t.Log(o.WhatIf[0].Remedy)
	validate := exec.Command(binary(t), "validate", "--config", "configs/quickstart.yaml", "--config", overlay)
	validate.Dir = root
	output, err := validate.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// The backend dies and comes back: the breaker turns, the backlog climbs and drains, nothing is lost.
func TestAnOutage(t *testing.T) {
	g := newGateway(t)
	backend := startBackend(t, g.backend)
	g.start(t)
	b := open(t, g.page)
	g.send(t, "orders:1|c", "orders:1|c")
	b.waitFor("#verdict-word", "Nothing lost")
	backend.signal(syscall.SIGKILL)
	stop := traffic(t, g)
	b.waitFor("#verdict-parts", "backend of fallbacklog down for")
	b.waitFor("#logs", "open since")
	b.waitFor("#changes", "breaker open")
	eventually(t, "the backlog climbs", func() bool { return value[float64](b, waitingItems) > 0 })
	require.Equal(t, http.StatusOK, status(g.probes+"/readyz"), "falling back is safe")
	out, err := exec.Command(gatewaytop(t), "-once", "-url", g.page).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "Backend of fallbacklog down for")
	t.Logf("gatewaytop -once:\n%s", out)
	stop()
	startBackend(t, g.backend)
	eventually(t, "the log is drained", func() bool { return b.text("#to-drained") == "empty" })
	b.waitFor("#changes", "breaker closed")
	eventually(t, "nothing is unaccounted for", func() bool {
		s := g.state(t)
		return s.Residual != nil && *s.Residual == 0 && s.Routes[0].Waiting.Items == 0 && strings.Contains(s.Verdict.Text, "othing lost")
	})
	require.Zero(t, g.state(t).Routes[0].Lost.Items)
}

// waitingItems is what the page shows as waiting of the first route of metrics.
const waitingItems = `Number((document.querySelectorAll('#routes tbody tr:first-child td')[3]?.innerText ?? '0').replaceAll(',', ''))`

// The page, the API, /metrics and the ledger have the same numbers.
func TestThePageAgreesWithTheMetrics(t *testing.T) {
	// A cumulative series is sent again each second; a delta once, so that the numbers come to rest.
	g := newGateway(t, `receivers: {metricsudp: {temporality: delta}}`)
	startBackend(t, g.backend)
	g.start(t)
	b := open(t, g.page)
	var lines []string
	for i := range 900 {
		lines = append(lines, fmt.Sprintf("requests:1|c|#id:%d", i))
	}
	g.send(t, append(lines, "x:1", "y")...)
	cells := func() []string {
		return value[[]string](b, `[...document.querySelectorAll('#routes tbody tr:first-child td')].map((c) => c.querySelector('span span').innerText.replaceAll(',', ''))`)
	}
	var shown []string
	eventually(t, "page, API and metrics agree", func() bool {
		s := g.state(t)
		if len(s.Routes) < 2 { // the page has not observed the components yet
			return false
		}
		r := s.Routes[0]
		if r.In == nil || r.In.Items < 900 || r.Residual == nil {
			return false
		}
		shown = cells()
		want := []int64{r.In.Items, r.Removed.Items, r.Sent.Items, r.Waiting.Items, r.Aside.Items, r.Returned.Items, r.Lost.Items, *r.Residual}
		return fmt.Sprint(shown) == fmt.Sprint(want) && *r.Residual == 0 &&
			r.In.Items == int64(g.own(t, "otelcol_receiver_accepted_metric_points_total")) &&
			r.Sent.Items == int64(g.own(t, "otelcol_exporter_fallbacklog_delivered_items_total")) &&
			r.In.Items-r.Removed.Items-r.Sent.Items-r.Waiting.Items-r.Aside.Items-r.Lost.Items == 0
	})
	t.Logf("in, removed, sent, waiting, dead letter, returned, lost, residual: %s", strings.Join(shown, ", "))
	b.waitFor("#udp", "902")
	b.waitFor("#udp", "no type: 1")
	require.InDelta(t, 902, g.own(t, "otelcol_receiver_metricsudp_datagrams_total"), 0)
	require.InDelta(t, 2, g.own(t, "otelcol_receiver_metricsudp_rejected_lines_total"), 0)
}

// Names from senders are text: no markup, no script, no change of direction, no flood.
func TestHostileNamesAreInert(t *testing.T) {
	g := newGateway(t, `
extensions: {gatewaypage: {examples: plain}}
processors: {cardinalitylimit: {limits: [{name: metric, key: [metric.name], max_series: 3}]}}
`)
	startBackend(t, g.backend)
	g.start(t)
	b := open(t, g.page)
	names := []string{
		"<img src=x onerror=window.hacked=1>", "</bdi><script>window.hacked=1</script>", "javascript:window.hacked=1", "\u202egnp.exe",
		"a\x1b[31mred", "${window.hacked=1}", "{{constructor}}", strings.Repeat("long", 15_000), "__proto__", "constructor",
	}
	for _, name := range names {
		var lines []string
		for i := range 40 {
			lines = append(lines, fmt.Sprintf("%s:1|c|#<b>k</b>:<svg onload=window.hacked=1>%d,user:jane%d@example.org", strings.ReplaceAll(name, ":", ";"), i, i))
		}
		g.send(t, lines...)
	}
	b.waitFor("#offenders", "<img src=x onerror=window.hacked=1>")
	b.waitFor("#offenders", "<svg onload")
	b.waitFor("#offenders", "__proto__")
	require.False(t, value[bool](b, "'hacked' in window"))
	require.Zero(t, value[int](b, "document.querySelectorAll('main img, main script, main b, main iframe, main svg[onload]').length"))
	require.NotContains(t, value[string](b, "document.body.textContent"), "\u202e")
	require.NotContains(t, get(t, g.page+"/api/v1/text"), "\x1b")
	require.NotContains(t, get(t, g.page+"/api/v1/state"), "\u202e")
	require.LessOrEqual(t, len(get(t, g.page+"/api/v1/state")), 256<<10)
	b.look(400, "light")
	eventually(t, "no name is wider than the window", func() bool { return value[int](b, "document.documentElement.scrollWidth") <= 400 })
}

// The page asks for the token, refuses a wrong one, and keeps the right one for the tab alone.
func TestAToken(t *testing.T) {
	g := newGateway(t, `
extensions: {bearertokenauth: {token: right}, gatewaypage: {auth: {authenticator: bearertokenauth}}}
service: {extensions: [health_check, bearertokenauth, gatewaypage]}
`).start(t)
	require.Equal(t, http.StatusUnauthorized, status(g.page+"/api/v1/state"))
	b := open(t, g.page)
	b.waitFor("#login", "needs a token")
	require.Empty(t, b.text("#verdict-word"))
	require.Equal(t, "token", value[string](b, "document.activeElement.id"))
	b.run(chromedp.KeyEvent("wrong" + kb.Enter))
	b.waitFor("#login", "refused this token")
	b.run(chromedp.KeyEvent("right" + kb.Enter))
	b.waitFor("#verdict-word", "Nothing lost")
	require.Empty(t, b.text("#login"))
	require.Equal(t, "right", value[string](b, "sessionStorage.getItem('gatewaypage-token')"))
	require.Zero(t, value[int](b, "localStorage.length"))
	require.Empty(t, value[string](b, "document.cookie"))
	require.NotContains(t, value[string](b, "location.href"), "right")
	b.run(chromedp.Navigate(g.page)) // a reload of the tab does not ask again
	b.waitFor("#verdict-word", "Nothing lost")
}

// A site whose name leads here gets nothing.
func TestAForeignHostIsRefused(t *testing.T) {
	g := newGateway(t).start(t)
	port := g.page[strings.LastIndex(g.page, ":"):]
	b := open(t, "http://evil.example.org"+port+"/", chromedp.Flag("host-resolver-rules", "MAP evil.example.org 127.0.0.1"))
	require.Contains(t, b.text("body"), "allowed_hosts")
	require.Equal(t, 421, value[int](b, "performance.getEntriesByType('navigation')[0].responseStatus"))
}

// The gateway dies: the page says that what it shows is old. It comes back: history begins anew, and the page says so.
func TestADeadGatewayIsStale(t *testing.T) {
	g := newGateway(t).start(t)
	b := open(t, g.page)
	b.waitFor("#verdict-word", "Nothing lost")
	g.signal(syscall.SIGKILL)
	b.waitFor("#stale", "has not answered since")
	begun := b.text("#history-begins")
	g.start(t)
	b.waitFor("#verdict-word", "Nothing lost")
	eventually(t, "the banner goes and history begins anew", func() bool { return b.text("#stale") == "" && b.text("#history-begins") != begun })
	// A reload of the configuration is no restart of the process.
	require.NoError(t, g.cmd.Process.Signal(syscall.SIGHUP))
	b.waitFor("#history-begins", "when the configuration was loaded")
	b.waitFor("#changes", "the configuration was loaded")
	eventually(t, "the gateway is ready again", func() bool { return status(g.probes+"/readyz") == http.StatusOK })
	g.send(t, "orders:1|c")
	b.waitFor("#udp", "Datagrams\n1") // the components have registered again
}

// answers counts what the page has got of the state. It shows an answer before it asks for the next one.
const answers = `performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/api/v1/state')).length`

// Everything can be reached by keyboard, in the order of the page, and the focus survives the next second.
func TestTheKeyboard(t *testing.T) {
	g := newGateway(t).start(t)
	b := open(t, g.page)
	b.waitFor("#verdict-word", "Nothing lost")
	var visited []string
	for range 4 {
		b.run(chromedp.KeyEvent(kb.Tab))
		visited = append(visited, value[string](b, "document.activeElement.id || document.activeElement.textContent"))
	}
	require.Equal(t, []string{"Skip to the verdict", "copy", "bundle", "Ledger by component"}, visited)
	require.True(t, value[bool](b, "document.activeElement.matches(':focus-visible')"))
	b.run(chromedp.KeyEvent(kb.Enter))
	require.True(t, value[bool](b, "document.getElementById('ledger-more').open"))
	seen := value[int](b, answers)
	eventually(t, "the page has followed some more answers", func() bool { return value[int](b, answers) > seen+2 })
	require.Equal(t, "Ledger by component", value[string](b, "document.activeElement.textContent"))
}

// Copy as text gives exactly /api/v1/text, and the bundle is one file.
func TestCopyAsText(t *testing.T) {
	g := newGateway(t).start(t)
	b := open(t, g.page)
	b.waitFor("#verdict-word", "Nothing lost")
	// The text is of one second: it equals that of just before or just after.
	isTheText := func(copied func() string) func() bool {
		return func() bool {
			before := get(t, g.page+"/api/v1/text")
			b.run(chromedp.Click(chromedp.CSS("#copy")))
			text := copied()
			return text != "" && (text == before || text == get(t, g.page+"/api/v1/text"))
		}
	}
	value[bool](b, "Boolean(navigator.clipboard.writeText = async (text) => { window.copied = text; })")
	eventually(t, "the clipboard has the text", isTheText(func() string {
		b.waitFor("#done", "copied as text")
		return value[string](b, "window.copied ?? ''")
	}))
	// A page without a secure context has no clipboard.
	value[bool](b, "Boolean(navigator.clipboard.writeText = async () => { throw new Error(); })")
	eventually(t, "the dialog has the text", isTheText(func() string {
		b.waitFor("#paste", "The text is selected")
		text := value[string](b, "document.getElementById('paste-text').value")
		b.run(chromedp.Click(chromedp.CSS("#paste-close")))
		return text
	}))
	b.run(chromedp.Click(chromedp.CSS("#bundle")))
	b.waitFor("#done", "saved as gateway.json")
}

// The page is readable at both widths, in light and dark, and loads nothing from elsewhere.
func TestWidthsAndColours(t *testing.T) {
	g := newGateway(t)
	startBackend(t, g.backend)
	g.start(t)
	stop := traffic(t, g)
	defer stop()
	b := open(t, g.page)
	b.waitFor("#offenders", "order.errors")
	b.waitFor("#strips", "points per second")
	for _, width := range []int64{400, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			b.look(width, scheme)
			eventually(t, "nothing is wider than the window", func() bool {
				return value[int64](b, "document.documentElement.scrollWidth") <= width
			})
			for _, contrast := range value[[]float64](b, contrasts) {
				assert.GreaterOrEqual(t, contrast, 4.5, "width %d, %s: contrast", width, scheme)
			}
		}
	}
	close(b.requests)
	for url := range b.requests {
		require.True(t, strings.HasPrefix(url, g.page+"/"), "%s is elsewhere", url)
	}
}

// contrasts are those of the verdict, of quiet text and of links with what is behind them, as WCAG 2 computes them.
const contrasts = `(() => {
  const channels = (c) => c.match(/[\d.]+/g).slice(0, 3).map(Number);
  const light = (c) => { const [r, g, b] = channels(c).map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c; } return 'rgb(255, 255, 255)'; };
  return ['#verdict h1', '#verdict-parts', '#verdict-unknown li', '#saved-formula', 'summary', '#offenders .badge', '#offenders .shape', '#copy', '#changes time']
    .map((s) => document.querySelector(s)).filter(Boolean)
    .map((e) => { const a = light(getComputedStyle(e).color), b = light(ground(e)); return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); });
})()`

// Fifty viewers cost the gateway little; the figure is printed.
func TestFiftyViewers(t *testing.T) {
	g := newGateway(t).start(t)
	before := g.own(t, "otelcol_process_cpu_seconds_total")
	begun := time.Now()
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 50}} // as browsers keep their connections
	defer client.CloseIdleConnections()
	ask := func(path string) error {
		response, err := client.Get(g.page + path) //nolint:noctx // ends with the gateway
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	var viewers sync.WaitGroup
	failed := make(chan error, 50)
	for range 50 {
		viewers.Go(func() {
			tick := time.NewTicker(time.Second) // as the page asks
			defer tick.Stop()
			for n := range 5 {
				err := ask("/api/v1/state")
				if n == 0 { // each fifth time
					err = errors.Join(err, ask("/api/v1/history"))
				}
				if err != nil {
					failed <- err
					return
				}
				<-tick.C
			}
		})
	}
	viewers.Wait()
	require.Empty(t, failed)
	used := g.own(t, "otelcol_process_cpu_seconds_total") - before
	t.Logf("50 viewers: %.2f %% of a core, the idle gateway included", 100*used/time.Since(begun).Seconds())
	require.Equal(t, "ok", g.state(t).Verdict.Level)
}
