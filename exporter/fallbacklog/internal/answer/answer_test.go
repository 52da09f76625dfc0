package answer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestRetryAfter(t *testing.T) {
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, tc := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"120", "", 2 * time.Minute},
		{"0", "", 0},
		{"-5", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{fmt.Sprint(int64(math.MaxInt64)), "", maxRetryAfter},
		{"99999999999999999999", "", 0},
		{date(time.Minute), "", time.Minute},
		{date(-time.Minute), "", 0},
		{date(time.Minute), date(-time.Hour), time.Hour + time.Minute}, // the downstream's clock is late
		{date(time.Minute), "now", time.Minute},
		{date(100 * 365 * 24 * time.Hour), "", maxRetryAfter},
	} {
		h := http.Header{}
		if tc.value != "" {
			h.Set("Retry-After", tc.value)
		}
		if tc.date != "" {
			h.Set("Date", tc.date)
		}
		assert.Equal(t, tc.want, retryAfter(h, func() time.Time { return now }), "%q at %q", tc.value, tc.date)
	}
}

// transport is a RoundTripper whose answers a test decides.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func one() int { return 1 }

// post makes one request under a note and reads its answer.
func post(t *testing.T, ctx context.Context, header http.Header, answer transport) {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "http://x/v1/logs", http.NoBody).WithContext(ctx)
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := RoundTripper{Next: answer, Now: func() time.Time { return now }}.RoundTrip(req)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
}

func responds(code int, kind string, body []byte) transport {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: code, Header: http.Header{"Content-Type": {kind}}, ContentLength: int64(len(body)),
			Body: io.NopCloser(bytes.NewReader(body)),
		}, nil
	}
}

func TestOutcome(t *testing.T) {
	away := errors.New("away")
	failed := errors.New("of the exporter")
	silent := transport(func(*http.Request) (*http.Response, error) { return nil, away })
	remoteWrite := http.Header{remoteWriteHeader: {"0.1.0"}}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tc := range []struct {
		name    string
		ctx     context.Context
		header  http.Header
		answers []transport
		err     error
		want    error
	}{
		{"taken", nil, nil, []transport{responds(200, "", nil)}, nil, nil},
		{"taken after a failure", nil, nil, []transport{silent, responds(200, "", nil)}, nil, nil},
		{"refused", nil, nil, []transport{responds(200, "", nil), responds(400, "", nil)}, failed, &Error{failed, []Refusal{{HTTP: 400}}}},
		{"refused by remote write", nil, remoteWrite, []transport{responds(500, "", nil)}, failed, &Error{failed, []Refusal{{HTTP: 500, RemoteWrite: true}}}},
		{"a redirect that was followed", nil, nil, []transport{responds(307, "", nil), responds(400, "", nil)}, failed, &Error{failed, []Refusal{{HTTP: 400}}}},
		{"a redirect to nowhere", nil, nil, []transport{responds(307, "", nil)}, failed, &Error{failed, []Refusal{{HTTP: 307}}}},
		{"no answer", nil, nil, []transport{silent}, failed, &Error{failed, []Refusal{{Err: away}}}},
		{"an error after a success", nil, nil, []transport{responds(200, "", nil)}, failed, failed},
		{"an error before any request", nil, nil, nil, failed, failed},
		{"nothing sent", nil, nil, nil, nil, ErrNothingSent},
		{"nothing sent in time", ended, nil, nil, nil, context.Canceled},
		{"taken in the last moment", ended, nil, []transport{responds(200, "", nil)}, nil, nil},
		{"taken in part, by remote write, in the last moment", ended, remoteWrite, []transport{responds(200, "", nil)}, nil, context.Canceled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.ctx == nil {
				tc.ctx = context.Background()
			}
			ctx, n := WithNote(tc.ctx)
			for _, a := range tc.answers {
				post(t, ctx, tc.header, a)
			}
			rejected, err := n.Outcome(ctx, one, tc.err)
			assert.Equal(t, tc.want, err)
			assert.Zero(t, rejected)
			if tc.err != nil {
				require.ErrorIs(t, err, tc.err)
			}
		})
	}
}

func TestErrorNamesTheAnswers(t *testing.T) {
	err := &Error{errors.New("failed"), []Refusal{{HTTP: 429}, {Err: status.Error(codes.Aborted, "")}, {Err: io.EOF}}}
	assert.Equal(t, "failed (HTTP status 429, gRPC status Aborted, no answer)", err.Error())
}

// Whatever a successful answer contains, it stays a success and the number of rejected items stays within the batch.
func TestPartialSuccessOfAnything(t *testing.T) {
	partly := plogotlp.NewExportResponse()
	partly.PartialSuccess().SetRejectedLogRecords(3)
	proto, err := partly.MarshalProto()
	require.NoError(t, err)
	for _, tc := range []struct {
		kind string
		body []byte
		want int
	}{
		{"application/x-protobuf", proto, 3},
		{"application/x-protobuf; charset=utf-8", proto, 3},
		{"application/json", []byte(`{"partialSuccess":{"rejectedSpans":"2"}}`), 2},
		{"application/json", []byte(`{"partialSuccess":{"rejectedDataPoints":4,"errorMessage":"x"},"more":[]}`), 4},
		{"application/json", []byte(`{}`), 0},
		{"application/json", []byte(`<html>`), 0},
		{"application/x-protobuf", []byte("<html>"), 0},
		{"application/x-protobuf", proto[:len(proto)-1], 0},
		{"text/html", proto, 0},
		{"", proto, 0},
		{"application/json", []byte(`{"partialSuccess":{"rejectedSpans":"9223372036854775807"}}`), 10},
		{"application/json", []byte(`{"partialSuccess":{"rejectedSpans":"-1"}}`), 0},
		{"application/json", []byte(strings.Repeat(" ", 2*maxBody) + `{"partialSuccess":{"rejectedSpans":1}}`), 0},
	} {
		ctx, n := WithNote(context.Background())
		post(t, ctx, nil, responds(200, tc.kind, tc.body))
		rejected, err := n.Outcome(ctx, func() int { return 10 }, nil)
		require.NoError(t, err)
		assert.Equal(t, tc.want, rejected, "%s %.60q", tc.kind, tc.body)
	}
}

func TestNothingIsNotedOutsideAnAttempt(t *testing.T) {
	post(t, context.Background(), nil, responds(400, "", nil))
	away := errors.New("away")
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return away }
	require.ErrorIs(t, Intercept(context.Background(), "", nil, nil, nil, invoke), away)
}

// A gRPC answer that is no OTLP message counts as an answer.
func TestForeignReply(t *testing.T) {
	ctx, n := WithNote(context.Background())
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	require.NoError(t, Intercept(ctx, "", nil, &struct{}{}, nil, invoke))
	rejected, err := n.Outcome(ctx, one, nil)
	require.NoError(t, err)
	assert.Zero(t, rejected)
}
