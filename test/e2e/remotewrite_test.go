package e2e

import (
	"net/http"
	"testing"

	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/util/compression"
	"github.com/stretchr/testify/assert"

	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

// remoteWrite lets a backend answer Prometheus remote write.
type remoteWrite struct {
	t *testing.T
	b *backend
}

func (w remoteWrite) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	body, err := otlptest.Body(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the gateway has given up
	}
	err = w.b.admit(r.Context())
	if err == nil {
		w.b.mu.Lock()
		defer w.b.mu.Unlock()
		for _, id := range writtenIDs(w.t, body) {
			w.b.ids[id]++
		}
	}
	otlptest.WriteStatus(answer, r, err)
}

// writtenIDs returns the labels "id" of the series in a remote write request.
func writtenIDs(t *testing.T, body []byte) (ids []string) {
	raw, err := compression.Decode(compression.Snappy, body, nil)
	if !assert.NoError(t, err) {
		return nil
	}
	var request prompb.WriteRequest
	assert.NoError(t, request.Unmarshal(raw))
	for _, series := range request.Timeseries {
		for _, l := range series.Labels {
			if l.Name == "id" {
				ids = append(ids, l.Value)
			}
		}
	}
	return ids
}
