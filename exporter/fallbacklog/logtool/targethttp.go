package logtool

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// maxAnswer bounds the bytes read of an HTTP answer.
const maxAnswer = 64 << 10

// httpTarget sends OTLP over HTTP, in protobuf.
type httpTarget struct {
	client  *http.Client
	base    *url.URL
	headers map[string]string
}

func (h httpTarget) send(ctx context.Context, r otlpRequest) (answer, error) {
	body, err := r.marshal()
	if err != nil {
		return answer{}, refusal{err}
	}
	where := h.base.JoinPath(r.path).String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, where, bytes.NewReader(body))
	if err != nil {
		return answer{}, refusal{err}
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	for k, v := range h.headers {
		req.Header.Set(k, v)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // the body was read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, err
	}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return r.parseAnswer(text), nil
	case resp.Header.Get("Retry-After") != "", !failure.KindOfHTTP(code).Refused():
		return answer{}, fmt.Errorf("%s: %s", where, resp.Status)
	default:
		return answer{}, refusal{fmt.Errorf("%s: %s", where, resp.Status)}
	}
}

// judgeGRPC marks an error as a refusal if another attempt would not change it.
func judgeGRPC(err error) error {
	if err == nil || !failure.Classify(err, false).Kind.Refused() {
		return err
	}
	return refusal{err}
}
