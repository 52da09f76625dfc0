package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/doctor"
)

// The doctor has no findings in the files of configs/ on a disk that is large enough.
func TestShippedConfigurationsAreFine(t *testing.T) {
	files, err := filepath.Glob("../../configs/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		resolved, err := resolve(t.Context(), []string{file})
		require.NoError(t, err, file)
		assert.Empty(t, doctor.Check(resolved, func(string) (doctor.Volume, error) {
			return doctor.Volume{Type: "ext4", Bytes: 64 << 30}, nil
		}), file)
	}
}

func write(t *testing.T, content string) string {
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestRun(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // without a gateway
	t.Setenv("DOCTOR_TEST_ENDPOINT", "0.0.0.0:1777")
	const fine = `{extensions: {pprof: {}}, service: {extensions: [pprof]}}`
	for name, c := range map[string]struct {
		args   []string
		stdout string
		err    string
	}{
		"fine":             {[]string{"-config", write(t, fine)}, "fine\n", ""},
		"findings, merged": {[]string{"-config", write(t, fine), "-config", write(t, `{extensions: {pprof: {endpoint: "${env:DOCTOR_TEST_ENDPOINT}"}}}`)}, "extensions::pprof::endpoint: anybody who reaches 0.0.0.0:1777 is served: no TLS and no authentication\n    bind localhost: these pages show the inside of the process\n", "findings"},
		"from":             {[]string{"-from", write(t, `{exporters: {logging: {}}}`)}, "exporters::logging: the component is not in the distribution, and the replacement differs: loglevel is verbosity: basic, normal or detailed\n    use debug\n", "findings"},
		"from, fine":       {[]string{"-from", write(t, `{exporters: {debug: {}}}`)}, "fine\n", ""},
		"nothing":          {nil, "", "flags: must be -config or -from (got none)"},
		"both":             {[]string{"-config", "a", "-from", "b"}, "", "flags: must be either -config or -from (got both)"},
		"argument":         {[]string{"-config", "a", "b"}, "", `arguments: must be flags only (got "b")`},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := run(t.Context(), c.args, &stdout, &stderr)
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.err)
			}
			assert.Equal(t, c.stdout, stdout.String())
		})
	}
}

func TestRunCannotRead(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := run(t.Context(), []string{"-config", "/does/not/exist.yaml"}, &bytes.Buffer{}, &bytes.Buffer{})
	require.ErrorContains(t, err, "/does/not/exist.yaml")
	assert.NotErrorIs(t, err, errFindings)
}

// If a gateway is in the path, its validation runs first, and its error is that of the doctor.
func TestValidationRunsFirst(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, gateway), []byte("#!/bin/sh\necho \"$@: endpoint: must be an address\"\nexit 1\n"), 0o700))
	t.Setenv("PATH", dir+":/bin:/usr/bin")
	file := write(t, `{}`)
	err := run(t.Context(), []string{"-config", file}, &bytes.Buffer{}, &bytes.Buffer{})
	require.ErrorContains(t, err, "validate --config "+file+": endpoint: must be an address")
}
