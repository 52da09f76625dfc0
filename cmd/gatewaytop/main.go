// Command gatewaytop shows the gateway page as text in a terminal: once, or again each second.
//
//	gatewaytop
//	gatewaytop -once > ticket.txt
//	GATEWAYPAGE_TOKEN=... gatewaytop -url https://gateway:8890
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the page did not answer
	exitUsage  = 2
)

const (
	every   = time.Second
	timeout = 5 * time.Second
	// maxBytes is the most that the page answers with.
	maxBytes = 1 << 20
	// home moves the cursor to the first line, rest clears the lines behind the text.
	home, rest = "\x1b[H", "\x1b[J"
	clearLine  = "\x1b[K\n"
)

func run(ctx context.Context, args []string, getenv func(string) string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("gatewaytop", flag.ContinueOnError)
	flags.SetOutput(errs)
	url := flags.String("url", "http://localhost:8890", "address of the gateway page")
	once := flags.Bool("once", false, "print the page once and end")
	flags.Usage = func() {
		fmt.Fprintln(errs, "usage: gatewaytop [-url URL] [-once]\nThe token of a page behind an authenticator is read from GATEWAYPAGE_TOKEN.")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitUsage
	}
	if flags.NArg() > 0 || !strings.HasPrefix(*url, "http://") && !strings.HasPrefix(*url, "https://") {
		flags.Usage()
		return exitUsage
	}
	p := page{url: strings.TrimSuffix(*url, "/") + "/api/v1/text", token: getenv("GATEWAYPAGE_TOKEN")}
	if *once {
		text, err := p.read(ctx)
		if err != nil {
			fmt.Fprintln(errs, "gatewaytop:", err)
			return exitFailed
		}
		_, _ = io.WriteString(out, text)
		return exitOK
	}
	watch(ctx, p, out)
	return exitOK
}

// watch draws the page until ctx ends.
func watch(ctx context.Context, p page, out io.Writer) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := ""
	for {
		text, err := p.read(ctx)
		if err != nil {
			text = fmt.Sprintf("STALE  %v\n\n%s", err, last)
		} else {
			last = text
		}
		if ctx.Err() != nil {
			return
		}
		_, _ = io.WriteString(out, home+strings.ReplaceAll(text, "\n", clearLine)+rest)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// page is the gateway's.
type page struct{ url, token string }

func (p page) read(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, http.NoBody)
	if err != nil {
		return "", err
	}
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+p.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBytes))
	if err != nil {
		return "", err
	}
	switch response.StatusCode {
	case http.StatusOK:
		return string(text), nil
	case http.StatusUnauthorized:
		return "", errors.New("the page needs another token: set GATEWAYPAGE_TOKEN")
	default:
		return "", fmt.Errorf("%s answered %s", request.URL.Redacted(), response.Status)
	}
}
