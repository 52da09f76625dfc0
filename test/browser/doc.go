// Package browser tests the gateway page in headless Chromium, against the built binary. It is a module of its own: the
// gateway's go.mod does not need what drives a browser.
package browser
