// Command orders is one of the two services of the demonstration: the order service, which customers call, or the payment
// service, which the order service calls. Both send traces, metrics and logs over OTLP to OTEL_EXPORTER_OTLP_ENDPOINT.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otelcol-custom/otelcol-custom/examples/orders/shop"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "orders:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("orders", flag.ContinueOnError)
	service := flags.String("service", "order", "order or payment")
	listen := flags.String("listen", "localhost:8081", "`host:port` of the service")
	payment := flags.String("payment", "http://localhost:8082", "address of the payment service, for the order service")
	if err := flags.Parse(args); err != nil {
		return err
	}
	telemetry, err := shop.NewTelemetry(ctx, *service)
	if err != nil {
		return err
	}
	var handler http.Handler
	switch *service {
	case "order":
		handler, err = shop.NewOrders(telemetry, *payment)
	case "payment":
		handler, err = shop.NewPayments(telemetry)
	default:
		err = fmt.Errorf("service: must be order or payment (got %q)", *service)
	}
	if err != nil {
		return err
	}
	server := &http.Server{Addr: *listen, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(end), telemetry.Shutdown(end))
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
