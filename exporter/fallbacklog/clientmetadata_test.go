package fallbacklog

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

// The metadata of the configured keys is restored at replay as the client sent it. Other metadata is not on disk. An OTLP
// reader still reads the line, even if a key has the name of the trailer.
func TestMetadataIsKeptAndRestored(t *testing.T) {
	var mu sync.Mutex
	away := true
	var got []client.Info
	s := &scripted{answer: func(ctx context.Context, _ plog.Logs) error {
		mu.Lock()
		defer mu.Unlock()
		if away {
			return status.Error(codes.Unavailable, "")
		}
		got = append(got, client.FromContext(ctx))
		return nil
	}}
	l := startScripted(t, s, map[string]any{"metadata_keys": []any{"X-Scope-OrgID", "fallbacklog", "absent"}})
	ctx := client.NewContext(context.Background(), client.Info{Metadata: client.NewMetadata(map[string][]string{
		"x-scope-orgid": {"a", "b"}, "Fallbacklog": {`"fallbacklog":{`}, "other": {"private"},
	})})
	require.NoError(t, consumeLog(ctx, l, s, "x"))
	require.NoError(t, consumeLog(context.Background(), l, s, "y"))

	_, lines := onDisk(t, l.core.cfg.Log.Directory, "logs", false)
	require.Len(t, lines, 2)
	m, err := record.Reader{}.Parse(lines[0])
	require.NoError(t, err)
	want := map[string][]string{"x-scope-orgid": {"a", "b"}, "fallbacklog": {`"fallbacklog":{`}}
	assert.Equal(t, want, m.Metadata)
	assert.NotContains(t, string(lines[0]), "private")
	ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(lines[0])
	require.NoError(t, err)
	assert.Equal(t, []string{"x/0"}, otlptest.LogBodies(ld))

	mu.Lock()
	away = false
	mu.Unlock()
	eventually(t, l.log.Empty, "both are replayed")
	require.Len(t, got, 2)
	for _, info := range got {
		if info.Metadata.Get("X-Scope-OrgID") == nil {
			continue // the line without metadata
		}
		for key, values := range want {
			assert.Equal(t, values, info.Metadata.Get(key))
		}
	}
	assert.NotEqual(t, got[0].Metadata.Get("x-scope-orgid"), got[1].Metadata.Get("x-scope-orgid"))
}

func TestMetadataKeysAreNoCredentials(t *testing.T) {
	for key, ok := range map[string]bool{
		"x-scope-orgid": true, "tenant": true, "Host": true, ":authority": true, "x-request-id": true,
		"Authorization": false, "proxy-authorization": false, "Cookie": false, "set-cookie": false, "X-API-Key": false,
		"api_key": false, "dd-api-key": false, "x-honeycomb-apikey": false, "x-auth": false, "X-Access-Token": false,
		"x-amz-security-token": false, "client.secret": false, "password": false, "x-session-id": false, "": false,
	} {
		t.Run(key, func(t *testing.T) {
			err := confmap.Validate(loadConfig(t, map[string]any{"metadata_keys": []any{key}}))
			if ok {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, fmt.Sprintf("(got %q)", key))
			require.ErrorContains(t, err, "metadata_keys")
		})
	}
	require.ErrorContains(t, confmap.Validate(loadConfig(t, map[string]any{"metadata_keys": []any{"a", "A"}})), "different from the others")
}
