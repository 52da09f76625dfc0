package fallbacklog

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configmiddleware"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"google.golang.org/grpc"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/answer"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/metadata"
)

// answersID is the name under which a wrapped exporter finds answers among its host's extensions.
var answersID = component.MustNewIDWithName(metadata.Type.String(), "answers")

// answers is a client middleware that hears what the wrapped exporter's downstream answers, see package answer. It is in
// no configuration: it is put into the wrapped exporter's at Start, before the user's own middlewares, so that it hears
// what the exporter does.
type answers struct {
	component.StartFunc
	component.ShutdownFunc
	now func() time.Time
}

var (
	_ extensionmiddleware.HTTPClient = answers{}
	_ extensionmiddleware.GRPCClient = answers{}
)

// GetHTTPRoundTripper listens on an HTTP client.
func (a answers) GetHTTPRoundTripper(context.Context) (extensionmiddleware.WrapHTTPRoundTripperFunc, error) {
	return func(_ context.Context, next http.RoundTripper) (http.RoundTripper, error) {
		return answer.RoundTripper{Next: next, Now: a.now}, nil
	}, nil
}

// GetGRPCClientOptions listens on a gRPC connection.
func (answers) GetGRPCClientOptions(context.Context) ([]grpc.DialOption, error) {
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(answer.Intercept)}, nil
}

// among returns the extensions with this one.
func (a answers) among(extensions map[component.ID]component.Component) map[component.ID]component.Component {
	all := maps.Clone(extensions)
	if all == nil {
		all = map[component.ID]component.Component{}
	}
	all[answersID] = a
	return all
}

// listen puts answers before the middlewares of every client that a configuration has, at any depth, and reports whether
// there is one.
func listen(cfg component.Config) (heard bool) {
	own := []configmiddleware.Config{{ID: answersID}}
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || !v.CanAddr() {
			return
		}
		switch client := v.Addr().Interface().(type) {
		case *confighttp.ClientConfig:
			client.Middlewares, heard = slices.Concat(own, client.Middlewares), true
			return
		case *configgrpc.ClientConfig:
			client.Middlewares, heard = slices.Concat(own, client.Middlewares), true
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				visit(v.Field(i))
			}
		}
	}
	visit(reflect.ValueOf(cfg))
	return heard
}
