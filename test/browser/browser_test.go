package browser

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// tab is a page in a browser of its own, with an empty profile.
type tab struct {
	t   testing.TB
	ctx context.Context
	// requests are the URLs that the page asked for.
	requests chan string
}

// flags of Chromium: it runs as root here, and asks nobody but the gateway.
var flags = []chromedp.ExecAllocatorOption{
	chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
	chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
	chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true),
}

func open(t testing.TB, url string, more ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no Chromium is installed: make deps")
	}
	options := append([]chromedp.ExecAllocatorOption{chromedp.ExecPath(chromium), chromedp.UserDataDir(t.TempDir())}, flags...)
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), append(options, more...)...)
	ctx, cancelTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		cancelTab()
		cancel()
	})
	b := &tab{t: t, ctx: ctx, requests: make(chan string, 10_000)}
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok {
			select {
			case b.requests <- e.Request.URL:
			default: // a test that runs for long does not read them
			}
		}
	}))
	b.run(command(network.Enable, network.EnableParams{}), chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url))
	return b
}

// command is an action that sends one command of the protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

// actionTime bounds one step.
const actionTime = time.Minute

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTime)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, actions...))
}

// value is the result of an expression in the page.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTime)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err)
	return v
}

// text is what a person reads in the first element that matches, empty if it is hidden.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return value[string](b, fmt.Sprintf("(() => { const e = document.querySelector(%q); return e?.checkVisibility() ? e.innerText : '' })()", selector))
}

// waitFor waits until a person reads a text in an element, in capital letters or not.
func (b *tab) waitFor(selector, text string) {
	b.t.Helper()
	var last string
	found := func() bool {
		last = b.text(selector)
		return strings.Contains(strings.ToLower(last), strings.ToLower(text))
	}
	for deadline := time.Now().Add(actionTime); !found(); time.Sleep(100 * time.Millisecond) {
		require.True(b.t, time.Now().Before(deadline), "%s has %q: %s", selector, text, last)
	}
}

// look sets the width and the colours.
func (b *tab) look(width int64, scheme string) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(width, 900),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}))
}
