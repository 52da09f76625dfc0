// Command demo runs the order and the payment service with the gateway and Prometheus, sends orders, and prints what the
// gateway limited, what that saved, and where to look. `make demo` in the root of the repository starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo has the processes and their addresses.
type demo struct {
	dir      string // for configuration, data and logs
	binaries string // directory
	backend  *backend

	grpc, page, telemetry, order, payment, prometheus, gatewayPage string

	processes []*exec.Cmd
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	binaries := flags.String("bin", "bin", "directory of otelcol-custom and orders")
	duration := flags.Duration("duration", 30*time.Second, "how long orders are sent")
	rate := flags.Int("rate", 100, "orders per second")
	keep := flags.Bool("keep", false, "keep everything running after the report, until Ctrl-C")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *rate < 1 || *duration <= 0 {
		return fmt.Errorf("flags: rate and duration must be positive (got %d, %v)", *rate, *duration)
	}
	dir, err := os.MkdirTemp("", "orders-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &demo{dir: dir, binaries: *binaries}
	defer d.stop()
	if err := d.start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "Sending %d orders per second for %v. Half of the payments are refused, and the order service makes the text of the error a label.\n"+
		"Watch it on the gateway page: http://%s\n\n", *rate, *duration, d.gatewayPage)
	if err := d.sendOrders(ctx, *rate, *duration); err != nil {
		return err
	}
	// The services export once per second, the limit flushes once per second, and Prometheus scrapes as often.
	if wait.For(ctx.Done(), 4*time.Second) {
		return ctx.Err()
	}
	if err := d.report(ctx, out); err != nil {
		return err
	}
	if *keep {
		fmt.Fprintln(out, "\nCtrl-C ends the demonstration.")
		<-ctx.Done()
	}
	return nil
}

// start runs the backend, the gateway, Prometheus and the services, and waits until they answer.
func (d *demo) start(ctx context.Context) error {
	addresses, err := freeAddresses(12)
	if err != nil {
		return err
	}
	d.grpc, d.page, d.telemetry, d.order, d.payment, d.prometheus = addresses[0], addresses[1], addresses[2], addresses[3], addresses[4], addresses[5]
	d.gatewayPage = addresses[10]
	if d.backend, err = startBackend(addresses[6]); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(d.telemetry)
	if err != nil {
		return err
	}
	gateway := exec.CommandContext(ctx, filepath.Join(d.binaries, "otelcol-custom"), "--config", "configs/quickstart.yaml", "--config", "examples/orders/gateway.yaml")
	gateway.Env = append(os.Environ(), "OTLP_GRPC_ENDPOINT="+d.grpc, "OTLP_HTTP_ENDPOINT="+addresses[7], "METRICSUDP_ENDPOINT="+addresses[8],
		"PROMETHEUS_ENDPOINT="+d.page, "HEALTH_CHECK_ENDPOINT="+addresses[9], "TELEMETRY_HOST="+host, "TELEMETRY_PORT="+port,
		"GATEWAYPAGE_ENDPOINT="+d.gatewayPage, "PROBES_ENDPOINT="+addresses[11], "OTLP_ENDPOINT="+addresses[6], "FALLBACKLOG_DIRECTORY="+filepath.Join(d.dir, "fallbacklog"))
	if err := d.launch("gateway", gateway); err != nil {
		return err
	}
	// The gateway must run before the services: for counters that are older than the gateway it counts only later growth.
	if err := d.await(ctx, "http://"+addresses[9]); err != nil {
		return err
	}
	scrape := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: gateway, honor_labels: true, static_configs: [{targets: [%q]}]}]\n", d.page)
	scrapeFile := filepath.Join(d.dir, "prometheus.yml")
	if err := os.WriteFile(scrapeFile, []byte(scrape), 0o600); err != nil {
		return err
	}
	prometheus := exec.CommandContext(ctx, "prometheus", "--config.file="+scrapeFile, "--storage.tsdb.path="+filepath.Join(d.dir, "prometheus"), "--web.listen-address="+d.prometheus)
	if err := d.launch("prometheus", prometheus); err != nil {
		return fmt.Errorf("%w (make deps installs Prometheus)", err)
	}
	for service, arguments := range map[string][]string{
		"payment": {"-service", "payment", "-listen", d.payment},
		"order":   {"-service", "order", "-listen", d.order, "-payment", "http://" + d.payment},
	} {
		cmd := exec.CommandContext(ctx, filepath.Join(d.binaries, "orders"), arguments...)
		cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+d.grpc)
		if err := d.launch(service, cmd); err != nil {
			return err
		}
	}
	for _, url := range []string{d.prometheus + "/-/ready", d.payment, d.order + "/health"} {
		if err := d.await(ctx, "http://"+url); err != nil {
			return err
		}
	}
	return nil
}

// launch starts a process and writes its output to a file.
func (d *demo) launch(name string, cmd *exec.Cmd) error {
	output, err := os.Create(filepath.Join(d.dir, name+".log"))
	if err != nil {
		return err
	}
	defer output.Close() // the process has its own handle
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.processes = append(d.processes, cmd)
	return nil
}

// await waits until a URL answers, with any status.
func (d *demo) await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := get(ctx, url); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer: %w", url, ctx.Err())
		case <-tick.C:
		}
	}
}

// stop ends the processes in reverse order and waits for them.
func (d *demo) stop() {
	for i := len(d.processes) - 1; i >= 0; i-- {
		_ = d.processes[i].Process.Signal(syscall.SIGTERM) // the process may have ended
		_ = d.processes[i].Wait()                          // the exit code does not matter
	}
	if d.backend != nil {
		d.backend.stop()
	}
}

// customers is the number of concurrent senders. With several of them a slow answer does not lower the rate.
const customers = 8

// sendOrders sends orders, and one health check per order, like a load balancer.
func (d *demo) sendOrders(ctx context.Context, rate int, duration time.Duration) error {
	end, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	failures := make(chan error, customers)
	for range customers {
		go func() {
			failures <- d.sendCustomersOrders(ctx, end, time.Duration(customers)*time.Second/time.Duration(rate))
		}()
	}
	var errs []error
	for range customers {
		errs = append(errs, <-failures)
	}
	return errors.Join(errs...)
}

// sendCustomersOrders sends the orders of one customer until the context end is done. It completes a request in flight.
func (d *demo) sendCustomersOrders(ctx, end context.Context, pause time.Duration) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-end.Done():
			return ctx.Err()
		case <-tick.C:
			for _, path := range []string{"/orders", "/health"} {
				if _, err := get(ctx, "http://"+d.order+path); err != nil {
					return err
				}
			}
		}
	}
}

func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return string(content), err
}

// freeAddresses returns TCP addresses on loopback without a listener.
func freeAddresses(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // only at the end, so that all addresses differ
		out = append(out, strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1))
	}
	return out, nil
}
