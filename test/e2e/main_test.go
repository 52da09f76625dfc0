package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// Asynchronous edges (processes, sockets) have this time; a healthy run needs a fraction of it.
const patience = 60 * time.Second

// pollEvery is the period of checks at asynchronous edges.
const pollEvery = 50 * time.Millisecond

// buildTags are the build tags of builder-config.yaml, for a binary that the tests build.
const buildTags = "grpcnotrace,remove_all_sd,enable_kubernetes_sd"

var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m)) //nolint:forbidigo // TestMain is main
}

func run(m *testing.M) int {
	binary = os.Getenv("OTELCOL_CUSTOM")
	if binary == "" {
		dir, err := os.MkdirTemp("", "otelcol-custom")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "otelcol-custom")
		build := exec.Command("go", "build", "-tags", buildTags, "-trimpath", "-ldflags", "-s -w", "-o", binary, "../../cmd/otelcol-custom")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build the gateway:", err)
			return 1
		}
	}
	return m.Run()
}

// eventually waits for a condition at an asynchronous edge.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	harness.Eventually(t, condition, patience, pollEvery, what)
}

// withTimeout returns a context for one call that must not hang the test.
func withTimeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
