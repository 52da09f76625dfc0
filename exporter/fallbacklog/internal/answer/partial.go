package answer

import (
	"io"
	"mime"
	"net/http"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// maxBody is what is read of an answer: as much as otlp_http reads.
const maxBody = 64 << 10

// listen reads along what the exporter reads of an OTLP answer, and notes the partial success in it.
func listen(n *Note, resp *http.Response) {
	if resp.ContentLength == 0 {
		return
	}
	var rejected func([]byte) int64
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind {
	case "application/x-protobuf":
		rejected = rejectedProto
	case "application/json":
		rejected = rejectedJSON
	default:
		return
	}
	resp.Body = &body{ReadCloser: resp.Body, note: n, rejected: rejected}
}

// body is an answer's, until it is closed.
type body struct {
	io.ReadCloser
	note     *Note
	rejected func([]byte) int64
	read     []byte
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read = append(b.read, p[:min(n, maxBody-len(b.read))]...)
	return n, err
}

func (b *body) Close() error {
	if len(b.read) > 0 {
		b.note.partial(b.rejected(b.read))
		b.read = nil
	}
	return b.ReadCloser.Close()
}

// rejectedProto is partial_success.rejected_* of an answer, 0 where it has none or cannot be read. The answers of all
// signals have it in the same place: field 1 of field 1 (opentelemetry-proto, collector/*/v1/*_service.proto).
func rejectedProto(data []byte) int64 {
	r := plogotlp.NewExportResponse()
	if r.UnmarshalProto(data) != nil {
		return 0
	}
	return r.PartialSuccess().RejectedLogRecords()
}

// rejectedJSON is the same for JSON, where the member has a name for each signal. Each reader ignores the others'.
func rejectedJSON(data []byte) int64 {
	spans, points, records := ptraceotlp.NewExportResponse(), pmetricotlp.NewExportResponse(), plogotlp.NewExportResponse()
	if spans.UnmarshalJSON(data) != nil || points.UnmarshalJSON(data) != nil || records.UnmarshalJSON(data) != nil {
		return 0
	}
	return spans.PartialSuccess().RejectedSpans() + points.PartialSuccess().RejectedDataPoints() +
		records.PartialSuccess().RejectedLogRecords()
}
