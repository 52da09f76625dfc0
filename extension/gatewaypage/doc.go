//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package gatewaypage is an extension that shows on one page what the gateway limits, what waits, what was lost, and what to
// paste to fix it.
//
// The components publish through internal/gatewaystate; internal/report makes a report per second, which all viewers share.
package gatewaypage
