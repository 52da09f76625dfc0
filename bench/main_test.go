//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// Environment variables that make this binary the sender or a contender. CPU time is measured by process, so each runs in a
// process of its own.
const (
	senderEnv    = "BENCH_SENDER"    // a load.Profile
	contenderEnv = "BENCH_CONTENDER" // a job
)

func TestMain(m *testing.M) {
	code := 0
	if err := dispatch(m, &code); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code) //nolint:forbidigo // TestMain is main
}

func dispatch(m *testing.M, code *int) error {
	if text := os.Getenv(senderEnv); text != "" {
		return send(text)
	}
	if text := os.Getenv(contenderEnv); text != "" {
		return contend(text)
	}
	*code = m.Run()
	return measured.write()
}

func send(profile string) error {
	var p load.Profile
	if err := json.Unmarshal([]byte(profile), &p); err != nil {
		return err
	}
	ledger, err := load.Run(context.Background(), p, nil)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(ledger)
}
