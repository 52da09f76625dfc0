// Command doctor finds traps in a configuration of the gateway: settings that are valid, but do not do what their author
// wants.
//
//	doctor -config production.yaml -config site.yaml
//	doctor -from otelcol-contrib.yaml
//
// It exits with 1 if it has findings, and with 2 if it cannot read the configuration.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/httpprovider"
	"go.opentelemetry.io/collector/confmap/provider/httpsprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"

	"github.com/otelcol-custom/otelcol-custom/internal/doctor"
)

// gateway is the name of the binary that validates the configuration first.
const gateway = "otelcol-custom"

var errFindings = errors.New("findings")

func main() {
	err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case errors.Is(err, errFindings):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "doctor:", err)
		os.Exit(2)
	}
}

// uris collects the values of a repeated flag.
type uris []string

func (u *uris) String() string         { return fmt.Sprint(*u) }
func (u *uris) Set(value string) error { *u = append(*u, value); return nil }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var configs uris
	flags.Var(&configs, "config", "configuration of the gateway: a file or a URI, as often as needed, merged in order")
	from := flags.String("from", "", "configuration of otelcol-contrib that is to run in the gateway")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("arguments: must be flags only (got %q)", flags.Arg(0))
	}
	switch {
	case *from != "" && len(configs) > 0:
		return errors.New("flags: must be either -config or -from (got both)")
	case *from != "":
		resolved, err := resolve(ctx, []string{*from})
		if err != nil {
			return err
		}
		return report(stdout, doctor.From(resolved))
	case len(configs) == 0:
		return errors.New("flags: must be -config or -from (got none)")
	}
	if err := validate(ctx, configs, stderr); err != nil {
		return err
	}
	resolved, err := resolve(ctx, configs)
	if err != nil {
		return err
	}
	return report(stdout, doctor.Check(resolved, volumeOf))
}

// resolve reads and merges configurations like the gateway.
func resolve(ctx context.Context, locations []string) (map[string]any, error) {
	resolver, err := confmap.NewResolver(confmap.ResolverSettings{
		URIs: locations,
		ProviderFactories: []confmap.ProviderFactory{
			envprovider.NewFactory(), fileprovider.NewFactory(), httpprovider.NewFactory(), httpsprovider.NewFactory(), yamlprovider.NewFactory(),
		},
		DefaultScheme: "env",
	})
	if err != nil {
		return nil, err
	}
	conf, err := resolver.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	return conf.ToStringMap(), resolver.Shutdown(ctx)
}

// validate runs the gateway's own validation, if the gateway is in the directory of this binary or in PATH.
func validate(ctx context.Context, configs []string, stderr io.Writer) error {
	path, err := findGateway()
	if err != nil {
		fmt.Fprintf(stderr, "doctor: %s was not found, so its validation did not run\n", gateway)
		return nil
	}
	arguments := []string{"validate"}
	for _, c := range configs {
		arguments = append(arguments, "--config", c)
	}
	output, err := exec.CommandContext(ctx, path, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s validate: %w\n%s", path, err, output)
	}
	return nil
}

func findGateway() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), gateway)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	return exec.LookPath(gateway)
}

func report(stdout io.Writer, findings []doctor.Finding) error {
	if len(findings) == 0 {
		_, err := fmt.Fprintln(stdout, "fine")
		return err
	}
	for _, f := range findings {
		if _, err := fmt.Fprintln(stdout, f); err != nil {
			return err
		}
	}
	return errFindings
}
