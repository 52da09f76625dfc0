package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const text = "OK  Nothing lost.\n\nLimits\n"

func gateway(t *testing.T) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer right" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path != "/api/v1/text" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return server
}

func token(value string) func(string) string {
	return func(name string) string { return map[string]string{"GATEWAYPAGE_TOKEN": value}[name] }
}

func TestOncePrintsExactlyTheText(t *testing.T) {
	g := gateway(t)
	var out, errs bytes.Buffer
	require.Equal(t, exitOK, run(t.Context(), []string{"-once", "-url", g.URL + "/"}, token("right"), &out, &errs))
	require.Equal(t, text, out.String())
	require.Empty(t, errs.String())
}

func TestFailuresAreSaid(t *testing.T) {
	g := gateway(t)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, c := range []struct {
		args  []string
		token string
		code  int
		text  string
	}{
		{[]string{"-once", "-url", g.URL}, "wrong", exitFailed, "set GATEWAYPAGE_TOKEN"},
		{[]string{"-once", "-url", g.URL + "/else"}, "right", exitFailed, "404"},
		{[]string{"-once", "-url", strings.Replace(g.URL, "://", "://u:hush@", 1) + "/else"}, "right", exitFailed, "404"},
		{[]string{"-once", "-url", closed.URL}, "right", exitFailed, "connection refused"},
		{[]string{"-once", "-url", "localhost:8890"}, "", exitUsage, "usage"},
		{[]string{"-twice"}, "", exitUsage, "usage"},
		{[]string{"extra"}, "", exitUsage, "usage"},
		{[]string{"-h"}, "", exitOK, "usage"},
	} {
		var out, errs bytes.Buffer
		require.Equal(t, c.code, run(t.Context(), c.args, token(c.token), &out, &errs), c.args)
		require.Contains(t, errs.String(), c.text)
		require.NotContains(t, errs.String(), "Bearer")
		require.NotContains(t, errs.String(), "hush")
		require.Empty(t, out.String())
	}
}

// screen ends the watch with its third picture.
type screen struct {
	text     bytes.Buffer
	pictures int
	each     func(picture int)
}

func (s *screen) Write(p []byte) (int, error) {
	s.pictures++
	s.each(s.pictures)
	return s.text.Write(p)
}

func TestTheScreenIsDrawnAgainAndSaysWhenItIsStale(t *testing.T) {
	g := gateway(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &screen{each: func(picture int) {
		switch picture {
		case 1:
			g.Close()
		case 2:
			cancel()
		}
	}}
	require.Equal(t, exitOK, run(ctx, []string{"-url", g.URL}, token("right"), out, io.Discard))
	pictures := strings.Split(out.text.String(), home)
	require.Len(t, pictures, 3)
	require.True(t, strings.HasPrefix(pictures[1], "OK  Nothing lost."))
	require.True(t, strings.HasPrefix(pictures[2], "STALE  "))
	require.Contains(t, pictures[2], "Nothing lost")
}
