package browser

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// One key for all metrics is over its limit, and no metric alone: the page names the total.
func TestAnOffendingKeyIsNamed(t *testing.T) {
	g := newGateway(t, `
processors: {cardinalitylimit: {limits: [{name: total, key: [], max_series: 50, count: streams, action: drop}]}}
`)
	startBackend(t, g.backend)
	g.start(t)
	b := open(t, g.page)
	b.waitFor("#offenders-none", "No metric is over a limit")
	var lines []string
	for i := range 400 {
		lines = append(lines, fmt.Sprintf("metric.%d:1|c", i))
	}
	g.send(t, lines...)
	b.waitFor("#keys", "All metrics")
	b.waitFor("#keys", "limit total has 50 places")
	require.Empty(t, b.text("#offenders-none"))
	b.waitFor("#verdict-parts", "1 key limited since")
	require.Contains(t, get(t, g.page+"/api/v1/text"), "the total of all metrics\n")
}

// store is a redis-server that gateways share.
type store struct {
	t    testing.TB
	addr string
	cmd  *exec.Cmd
}

func startStore(t testing.TB) *store {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server is installed: make deps")
	}
	s := &store{t: t, addr: addresses(t, 1)[0]}
	t.Cleanup(s.kill)
	s.start()
	return s
}

func (s *store) start() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	require.NoError(s.t, err)
	s.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", s.t.TempDir())
	require.NoError(s.t, s.cmd.Start())
	eventually(s.t, "the store answers", func() bool {
		conn, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err != nil {
			return false
		}
		defer conn.Close()
		answer := make([]byte, 5)
		_, err = io.WriteString(conn, "PING\r\n")
		if err == nil {
			_, err = io.ReadFull(conn, answer)
		}
		return err == nil && string(answer) == "+PONG"
	})
}

func (s *store) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// share starts gateways with one limit of 100 series for all of them.
func share(t testing.TB, s *store, n int) (all []*gateway) {
	t.Helper()
	for i := range n {
		g := newGateway(t, fmt.Sprintf(`
extensions: {gatewaypage: {instance: gateway-%d}}
processors:
  cardinalitylimit:
    limits: [{name: metric, key: [metric.name], max_series: 100}]
    admission: {contested_at: 1}
    cluster: {redis: {endpoints: [%q]}, refresh: 300ms, timeout: 1s, min_gateways: %d}
`, i, s.addr, n))
		startBackend(t, g.backend)
		all = append(all, g.start(t))
	}
	return all
}

// fill has the gateways share 91 places of a metric: the first one has 61, and meets the last series, so that it knows.
func fill(t testing.TB, b *tab, all []*gateway) {
	t.Helper()
	b.waitFor("#clusters", "joined")
	b.waitFor("#clusters", "gateways\n"+strconv.Itoa(len(all)))
	for i, g := range all {
		series := 60
		if i > 0 {
			series = 30 / (len(all) - 1)
		}
		var lines []string
		for k := range series {
			lines = append(lines, fmt.Sprintf("orders:1|c|#id:%d-%d", i, k))
		}
		g.send(t, lines...)
		eventually(t, "the places are in use", func() bool {
			return strings.Contains(get(t, g.page+"/api/v1/text"), fmt.Sprintf(", %d in this one", series))
		})
	}
	all[0].send(t, "orders:1|c|#id:last")
	b.waitFor("#clusters", "91 places; 61 in this gateway")
}

// A limit that two gateways share: the page has the count of both beside its own, and says when the store is away.
func TestSharedLimits(t *testing.T) {
	s := startStore(t)
	all := share(t, s, 2)
	b := open(t, all[0].page)
	fill(t, b, all)
	require.Contains(t, get(t, all[1].page+"/api/v1/text"), "limit metric: 90 places in use in all gateways, 30 in this one")
	s.kill()
	b.waitFor("#clusters", "degraded")
	b.waitFor("#clusters", "The store of places does not answer")
	b.waitFor("#changes", "its cluster is degraded, was joined")
	for _, width := range []int64{400, 1280} {
		b.look(width, "light")
		eventually(t, "nothing is wider than the window", func() bool { return value[int64](b, "document.documentElement.scrollWidth") <= width })
	}
	s.start()
	b.waitFor("#changes", "its cluster is joined, was degraded")
	eventually(t, "the section says so", func() bool { return strings.Contains(b.text("#clusters"), ": joined") })
}

// TestScreenshotsOfSharedLimits: see TestScreenshots.
func TestScreenshotsOfSharedLimits(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	s := startStore(t)
	all := share(t, s, 3)
	b := open(t, all[0].page)
	fill(t, b, all)
	b.pictures(dir, "shared")
}
