// Package e2e contains tests of the built binary as a process. Real clients send to it, a real Prometheus and OTLP servers receive
// from it, and the tests send it the signals of an operating system.
//
// The environment variable OTELCOL_CUSTOM names the binary. Without it the tests build one.
package e2e
