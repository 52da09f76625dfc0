package logtool

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// otlpRequest is one OTLP export request of any signal.
type otlpRequest struct {
	path        string // over HTTP
	marshal     func() ([]byte, error)
	json        func() ([]byte, error)
	parseAnswer func(body []byte) answer // parses an HTTP answer; an invalid one is an empty answer
	overGRPC    func(context.Context, *grpc.ClientConn) (answer, error)
}

// decode decodes the request in a record of either format.
func decode(into interface {
	UnmarshalJSON(data []byte) error
	UnmarshalProto(data []byte) error
}, reader record.Reader, rec []byte,
) error {
	codec := reader.CodecOf(rec)
	_, payload, err := codec.Split(rec)
	if err != nil {
		return err
	}
	if codec.Encoding() == record.Proto {
		return into.UnmarshalProto(payload)
	}
	return into.UnmarshalJSON(payload)
}

// asLine returns a record of either format as a line.
func (l Log) asLine(rec []byte, meta record.Meta) ([]byte, error) {
	if l.reader.CodecOf(rec).Encoding() == record.JSON {
		return l.reader.Copy(record.Lines{}, rec)
	}
	r, err := l.newRequest(rec)
	if err != nil {
		return nil, err
	}
	payload, err := r.json()
	if err != nil {
		return nil, err
	}
	return record.Lines{}.Append(nil, payload, meta)
}

// transcode returns the bytes that put a record into a segment of a codec. It fails with errStays if the record has another
// encoding and cannot be decoded.
func (l Log) transcode(to record.Codec, rec []byte) ([]byte, error) {
	if l.reader.CodecOf(rec).Encoding() == to.Encoding() {
		return l.reader.Copy(to, rec)
	}
	meta, err := l.reader.Parse(rec)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStays, err)
	}
	r, err := l.newRequest(rec)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStays, err)
	}
	marshal := r.marshal
	if to.Encoding() == record.JSON {
		marshal = r.json
	}
	payload, err := marshal()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStays, err)
	}
	return to.Append(nil, payload, meta)
}

// newRequest decodes a record.
func (l Log) newRequest(rec []byte) (otlpRequest, error) {
	switch l.Signal {
	case "traces":
		r := ptraceotlp.NewExportRequest()
		return otlpRequest{
			path: "v1/traces", marshal: r.MarshalProto, json: r.MarshalJSON,
			parseAnswer: func(body []byte) answer {
				resp := ptraceotlp.NewExportResponse()
				return answerOf(resp.UnmarshalProto(body), resp.PartialSuccess().RejectedSpans, resp.PartialSuccess().ErrorMessage)
			},
			overGRPC: func(ctx context.Context, conn *grpc.ClientConn) (answer, error) {
				resp, err := ptraceotlp.NewGRPCClient(conn).Export(ctx, r)
				if err != nil {
					return answer{}, err
				}
				return answer{resp.PartialSuccess().RejectedSpans(), resp.PartialSuccess().ErrorMessage()}, nil
			},
		}, decode(r, l.reader, rec)
	case "metrics":
		r := pmetricotlp.NewExportRequest()
		return otlpRequest{
			path: "v1/metrics", marshal: r.MarshalProto, json: r.MarshalJSON,
			parseAnswer: func(body []byte) answer {
				resp := pmetricotlp.NewExportResponse()
				return answerOf(resp.UnmarshalProto(body), resp.PartialSuccess().RejectedDataPoints, resp.PartialSuccess().ErrorMessage)
			},
			overGRPC: func(ctx context.Context, conn *grpc.ClientConn) (answer, error) {
				resp, err := pmetricotlp.NewGRPCClient(conn).Export(ctx, r)
				if err != nil {
					return answer{}, err
				}
				return answer{resp.PartialSuccess().RejectedDataPoints(), resp.PartialSuccess().ErrorMessage()}, nil
			},
		}, decode(r, l.reader, rec)
	case "logs":
		r := plogotlp.NewExportRequest()
		return otlpRequest{
			path: "v1/logs", marshal: r.MarshalProto, json: r.MarshalJSON,
			parseAnswer: func(body []byte) answer {
				resp := plogotlp.NewExportResponse()
				return answerOf(resp.UnmarshalProto(body), resp.PartialSuccess().RejectedLogRecords, resp.PartialSuccess().ErrorMessage)
			},
			overGRPC: func(ctx context.Context, conn *grpc.ClientConn) (answer, error) {
				resp, err := plogotlp.NewGRPCClient(conn).Export(ctx, r)
				if err != nil {
					return answer{}, err
				}
				return answer{resp.PartialSuccess().RejectedLogRecords(), resp.PartialSuccess().ErrorMessage()}, nil
			},
		}, decode(r, l.reader, rec)
	}
	return otlpRequest{}, fmt.Errorf("signal: must be traces, metrics or logs (got %q)", l.Signal)
}

func answerOf(err error, refusedItems func() int64, message func() string) answer {
	if err != nil {
		return answer{}
	}
	return answer{refusedItems(), message()}
}
