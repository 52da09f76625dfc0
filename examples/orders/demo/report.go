package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// report prints what the gateway did.
func (d *demo) report(ctx context.Context, out io.Writer) error {
	own, err := get(ctx, "http://"+d.telemetry+"/metrics")
	if err != nil {
		return err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(own))
	if err != nil {
		return err
	}
	// total adds up the series of a counter.
	total := func(name string) (sum float64) {
		for _, m := range families[name].GetMetric() {
			sum += m.GetCounter().GetValue()
		}
		return sum
	}
	fmt.Fprintln(out, "What was limited")
	for _, m := range families["otelcol_processor_cardinalitylimit_offender_series"].GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		fmt.Fprintf(out, "  about %.0f series wanted: %s\n", m.GetGauge().GetValue(), strings.Join(labels, ", "))
	}
	series, err := d.query(ctx, `count(order_errors_total)`)
	if err != nil {
		return err
	}
	errors, err := d.query(ctx, `sum(order_errors_total)`)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  order.errors: %.0f series in Prometheus, with a total of %.0f errors\n", series, errors)

	in, exported := total("otelcol_receiver_accepted_metric_points_total"), float64(d.backend.points.Load())
	fmt.Fprintln(out, "\nWhat was saved")
	fmt.Fprintf(out, "  metric points: %.0f received, %.0f exported, %.0f %% less\n", in, exported, 100*(1-exported/in))
	fmt.Fprintf(out, "  complete: %d spans and %d log records exported\n", d.backend.spans.Load(), d.backend.records.Load())

	buckets, err := d.query(ctx, `count(order_process_time_bucket)`)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nWhere to look")
	fmt.Fprintf(out, "  %.0f series of order_process_time_bucket: http://%s/graph?g0.expr=%s&g0.tab=0\n", buckets, d.prometheus,
		url.QueryEscape(`histogram_quantile(0.95, sum by (le) (rate(order_process_time_bucket[30s])))`))
	fmt.Fprintf(out, "  the page of your metrics: http://%s/metrics\n  the gateway's own: http://%s/metrics\n", d.page, d.telemetry)
	return nil
}

// query returns the value of an expression in Prometheus that has at most one result. Without a result it is 0.
func (d *demo) query(ctx context.Context, expression string) (float64, error) {
	content, err := get(ctx, "http://"+d.prometheus+"/api/v1/query?query="+url.QueryEscape(expression))
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.Unmarshal([]byte(content), &answer); err != nil {
		return 0, fmt.Errorf("query %s: %w", expression, err)
	}
	if len(answer.Data.Result) == 0 {
		return 0, nil
	}
	var value float64
	_, err = fmt.Sscan(fmt.Sprint(answer.Data.Result[0].Value[1]), &value)
	return value, err
}
