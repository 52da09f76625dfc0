// Package e2e holds tests of the built binary as a process: real clients in front of it, a real
// Prometheus and OTLP servers behind it, and the signals an operating system sends.
//
// The binary is the file that OTELCOL_CUSTOM names; without it, the tests build one.
package e2e
