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

// answersID is the ID under which a wrapped exporter finds answers among its host's extensions.
var answersID = component.MustNewIDWithName(metadata.Type.String(), "answers")

// answers is a client middleware that notes the answers of the wrapped exporter's downstream, see package answer. It is in no
// configuration. Start adds it to the wrapped exporter's configuration before the user's middlewares, so that it sees the
// answers that the exporter sees.
type answers struct {
	component.StartFunc
	component.ShutdownFunc
	now func() time.Time
}

var (
	_ extensionmiddleware.HTTPClient = answers{}
	_ extensionmiddleware.GRPCClient = answers{}
)

// GetHTTPRoundTripper notes the answers of an HTTP client.
func (a answers) GetHTTPRoundTripper(context.Context) (extensionmiddleware.WrapHTTPRoundTripperFunc, error) {
	return func(_ context.Context, next http.RoundTripper) (http.RoundTripper, error) {
		return answer.RoundTripper{Next: next, Now: a.now}, nil
	}, nil
}

// GetGRPCClientOptions notes the answers on a gRPC connection.
func (answers) GetGRPCClientOptions(context.Context) ([]grpc.DialOption, error) {
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(answer.Intercept)}, nil
}

// addTo returns the extensions and this one.
func (a answers) addTo(extensions map[component.ID]component.Component) map[component.ID]component.Component {
	all := maps.Clone(extensions)
	if all == nil {
		all = map[component.ID]component.Component{}
	}
	all[answersID] = a
	return all
}

// addAnswers puts answers before the middlewares of every client in a configuration, at any depth. It reports whether there is
// a client.
func addAnswers(cfg component.Config) (answersNoted bool) {
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
			client.Middlewares, answersNoted = slices.Concat(own, client.Middlewares), true
			return
		case *configgrpc.ClientConfig:
			client.Middlewares, answersNoted = slices.Concat(own, client.Middlewares), true
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				visit(v.Field(i))
			}
		}
	}
	visit(reflect.ValueOf(cfg))
	return answersNoted
}
