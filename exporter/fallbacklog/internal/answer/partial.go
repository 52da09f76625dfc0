package answer

import (
	"io"
	"mime"
	"net/http"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// maxBody bounds the bytes read of an answer. otlp_http has the same bound.
const maxBody = 64 << 10

// notePartialSuccess copies the bytes that the exporter reads of an OTLP answer, and notes the partial success in them.
func notePartialSuccess(n *Note, resp *http.Response) {
	if resp.ContentLength == 0 {
		return
	}
	var refusedItems func([]byte) int64
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind {
	case "application/x-protobuf":
		refusedItems = rejectedProto
	case "application/json":
		refusedItems = rejectedJSON
	default:
		return
	}
	resp.Body = &body{ReadCloser: resp.Body, note: n, refusedItems: refusedItems}
}

// body is the body of an answer.
type body struct {
	io.ReadCloser
	note         *Note
	refusedItems func([]byte) int64
	read         []byte
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read = append(b.read, p[:min(n, maxBody-len(b.read))]...)
	return n, err
}

func (b *body) Close() error {
	if len(b.read) > 0 {
		b.note.partial(b.refusedItems(b.read))
		b.read = nil
	}
	return b.ReadCloser.Close()
}

// rejectedProto returns partial_success.rejected_* of an answer, or 0 if it is missing or unreadable. All signals have it at
// the same place: field 1 of field 1 (opentelemetry-proto, collector/*/v1/*_service.proto).
func rejectedProto(data []byte) int64 {
	r := plogotlp.NewExportResponse()
	if r.UnmarshalProto(data) != nil {
		return 0
	}
	return r.PartialSuccess().RejectedLogRecords()
}

// rejectedJSON is rejectedProto for JSON, where the member's name depends on the signal. Each reader ignores the other members.
func rejectedJSON(data []byte) int64 {
	spans, points, records := ptraceotlp.NewExportResponse(), pmetricotlp.NewExportResponse(), plogotlp.NewExportResponse()
	if spans.UnmarshalJSON(data) != nil || points.UnmarshalJSON(data) != nil || records.UnmarshalJSON(data) != nil {
		return 0
	}
	return spans.PartialSuccess().RejectedSpans() + points.PartialSuccess().RejectedDataPoints() +
		records.PartialSuccess().RejectedLogRecords()
}
