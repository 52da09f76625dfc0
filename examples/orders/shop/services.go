package shop

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Orders is the order service. For each order it calls the payment service.
type Orders struct {
	telemetry   *Telemetry
	payment     string
	processTime metric.Float64Histogram
	errors      metric.Int64Counter
	queue       metric.Int64Gauge
	orders      atomic.Int64
}

// NewOrders returns the order service. payment is the address of the payment service.
func NewOrders(t *Telemetry, payment string) (*Orders, error) {
	o := &Orders{telemetry: t, payment: payment}
	var err error
	if o.processTime, err = t.meter.Float64Histogram("order.process_time", metric.WithUnit("ms"), metric.WithDescription("Time to process an order.")); err != nil {
		return nil, err
	}
	if o.errors, err = t.meter.Int64Counter("order.errors", metric.WithDescription("Orders that failed, by the error's text.")); err != nil {
		return nil, err
	}
	o.queue, err = t.meter.Int64Gauge("debug.queue", metric.WithDescription("Length of a queue that only its developer looks at."))
	return o, err
}

// ServeHTTP processes an order, or answers the health check.
func (o *Orders) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ctx, span := o.telemetry.tracer.Start(r.Context(), "order", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	if r.URL.Path == "/health" {
		o.processTime.Record(ctx, milliseconds(began), metric.WithAttributes(attribute.String("route", "/health")))
		return
	}
	number := o.orders.Add(1)
	for shelf := range 20 {
		o.queue.Record(ctx, number%7, metric.WithAttributes(attribute.Int("shelf", shelf)))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.payment, http.NoBody)
	if err == nil {
		o.telemetry.propagator.Inject(ctx, propagation.HeaderCarrier(request.Header))
		err = pay(request)
	}
	if err != nil {
		// The mistake that the gateway must limit: the raw text of the error, with the number of the order, is a label.
		err = fmt.Errorf("order %d: %w", number, err)
		o.errors.Add(ctx, 1, metric.WithAttributes(attribute.String("error", err.Error())))
		o.telemetry.logError(ctx, err)
		span.SetStatus(codes.Error, "payment failed")
		w.WriteHeader(http.StatusBadGateway)
	}
	o.processTime.Record(ctx, milliseconds(began), metric.WithAttributes(attribute.String("route", "/orders")))
}

func pay(request *http.Request) error {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("payment: %s", text)
	}
	return nil
}

func milliseconds(since time.Time) float64 {
	return float64(time.Since(since)) / float64(time.Millisecond)
}

// Payments is the payment service. It refuses every second payment, each with a different text.
type Payments struct {
	telemetry *Telemetry
	payments  metric.Int64Counter
	number    atomic.Int64
}

// NewPayments returns the payment service.
func NewPayments(t *Telemetry) (*Payments, error) {
	payments, err := t.meter.Int64Counter("payment.payments", metric.WithDescription("Payments, by result."))
	return &Payments{telemetry: t, payments: payments}, err
}

// ServeHTTP processes a payment.
func (p *Payments) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := p.telemetry.propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := p.telemetry.tracer.Start(ctx, "payment", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	number := p.number.Add(1)
	result := "accepted"
	if number%2 == 0 {
		result = "refused"
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = fmt.Fprintf(w, "card of customer %d was refused at %s", number, time.Now().Format(time.RFC3339Nano)) // the client may have disconnected
	}
	p.payments.Add(ctx, 1, metric.WithAttributes(attribute.String("result", result)))
}
