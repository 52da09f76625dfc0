package browser

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestScreenshots writes pictures of the page to the folder in SCREENSHOTS: make screenshots.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	g := newGateway(t, `extensions: {gatewaypage: {instance: gateway-0}}`)
	backend := startBackend(t, g.backend)
	g.start(t)
	b := open(t, g.page)
	b.waitFor("#verdict-parts", "no data has come in yet")
	time.Sleep(15 * time.Second) // strips need something to show
	b.pictures(dir, "idle")

	stop := traffic(t, g)
	b.waitFor("#offenders", "order.errors")
	time.Sleep(20 * time.Second)
	backend.signal(syscall.SIGKILL)
	b.waitFor("#verdict-parts", "down for")
	time.Sleep(25 * time.Second)
	b.waitFor("#verdict-parts", "log full in")
	b.pictures(dir, "outage")

	startBackend(t, g.backend)
	eventually(t, "the log is drained", func() bool { return b.text("#to-drained") == "empty" })
	time.Sleep(10 * time.Second)
	b.pictures(dir, "drained")
	stop()
}

// TestScreenshotsOfTheDemo: see TestScreenshots. The pictures are of the demonstration, in which an error's text is a label.
func TestScreenshotsOfTheDemo(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	b := open(t, startDemo(t))
	b.waitFor("#offenders", "order.errors")
	time.Sleep(40 * time.Second)
	b.pictures(dir, "exploded")
}

// startDemo runs the demonstration as `make demo` does, and returns the URL of its gateway's page.
func startDemo(t *testing.T) string {
	t.Helper()
	binaries := t.TempDir()
	require.NoError(t, os.Symlink(binary(t), filepath.Join(binaries, "otelcol-custom")))
	build := exec.Command("go", "build", "-o", binaries, "./examples/orders", "./examples/orders/demo")
	build.Dir = root
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	demo := exec.Command(filepath.Join(binaries, "demo"), "-bin", binaries, "-duration", "5m")
	demo.Dir, demo.Stderr = root, os.Stderr
	stdout, err := demo.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, demo.Start())
	t.Cleanup(func() {
		_ = demo.Process.Signal(syscall.SIGINT) // it may have ended
		_ = demo.Wait()                         // its code does not matter
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if _, url, found := strings.Cut(lines.Text(), "gateway page: "); found {
			return url
		}
	}
	require.FailNow(t, "the demonstration names no page")
	return ""
}

// pictures writes the whole page at two widths, light and dark, as PNG and as WebP, which is a tenth as large.
func (b *tab) pictures(dir, name string) {
	b.t.Helper()
	for _, width := range []int64{400, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			b.look(width, scheme)
			time.Sleep(1500 * time.Millisecond) // the strips follow with the next second
			name := filepath.Join(dir, fmt.Sprintf("%s-%d-%s", name, width, scheme))
			b.picture(name+".png", page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng})
			quality := int64(35)
			b.picture(name+".webp", page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
		}
	}
}

func (b *tab) picture(name string, params page.CaptureScreenshotParams) {
	b.t.Helper()
	whole := true
	params.CaptureBeyondViewport = &whole
	b.run(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		answer, err := cdp.Call(ctx, target, page.CaptureScreenshot, params)
		if err != nil {
			return err
		}
		return os.WriteFile(name, answer.Data, 0o644) //nolint:gosec // a picture for everybody
	}))
}

// traffic sends what two shops send, one of them with a label that explodes.
func traffic(t *testing.T, g *gateway) (stop func()) {
	t.Helper()
	ended := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			var lines []string
			for i := range 40 {
				k := (n*40 + i) % 6000
				lines = append(lines,
					fmt.Sprintf("order.errors:1|c|#service:orders,region:eu-%d,error:payment %08x refused for ann%d@example.org", k%4, k*7919, k%97),
					fmt.Sprintf("order.process_time:%d|ms|#service:orders,route:/orders/%d", 20+k%300, k%7),
					fmt.Sprintf("payments:1|c|#service:payment,method:card-%d", k%5))
			}
			_ = g.sendSlowly(lines...) // a gateway that has ended is the test's business
		}
	}()
	return func() {
		close(ended)
		<-done
	}
}
