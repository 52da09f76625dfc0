package check_test

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

func TestChecks(t *testing.T) {
	type mode string
	for want, do := range map[string]func(*check.Errors){
		"f: must be from 1 to 3 (got 0)":                         func(e *check.Errors) { check.Range(e, "f", 0, 1, 3) },
		"f: must be from 1 to 3 (got 4)":                         func(e *check.Errors) { check.Range(e, "f", 4, 1, 3) },
		"f: must be from 0 to 1 (got NaN)":                       func(e *check.Errors) { check.Range(e, "f", math.NaN(), 0, 1) },
		"f: must be from 1s to 1m0s (got 500ms)":                 func(e *check.Errors) { check.Range(e, "f", 500*time.Millisecond, time.Second, time.Minute) },
		"f: must be at least 1 (got 0)":                          func(e *check.Errors) { check.AtLeast(e, "f", int64(0), 1) },
		"f: must be at least 1 and finite (got +Inf)":            func(e *check.Errors) { check.AtLeast(e, "f", math.Inf(1), 1) },
		"f: must be positive (got 0s)":                           func(e *check.Errors) { check.Positive(e, "f", time.Duration(0)) },
		"f: must be positive (got -1)":                           func(e *check.Errors) { check.Positive(e, "f", -1) },
		"f: must be positive and finite (got NaN)":               func(e *check.Errors) { check.Positive(e, "f", math.NaN()) },
		"f: must be 0 or more (got -1)":                          func(e *check.Errors) { check.NotNegative(e, "f", -1) },
		"f: must be 0 or more and finite (got -Inf)":             func(e *check.Errors) { check.NotNegative(e, "f", math.Inf(-1)) },
		"f: must be above 0 and at most 1 (got 0)":               func(e *check.Errors) { check.Share(e, "f", 0) },
		"f: must be above 0 and at most 1 (got NaN)":             func(e *check.Errors) { check.Share(e, "f", math.NaN()) },
		"f: must be finite (got +Inf)":                           func(e *check.Errors) { check.Finite(e, "f", math.Inf(1)) },
		"f::1: must be greater than the one before, 10 (got 10)": func(e *check.Errors) { check.Increasing(e, "f", []float64{10, 10, 11}) },
		"f::0: must be finite (got -Inf)":                        func(e *check.Errors) { check.Increasing(e, "f", []float64{math.Inf(-1), 10}) },
		`f: must be one of a, b (got "c")`:                       func(e *check.Errors) { check.OneOf(e, "f", mode("c"), "a", "b") },
		"f: must be exactly one of a, b, c (got none)": func(e *check.Errors) {
			check.ExactlyOne(e, "f", map[string]bool{"c": false, "a": false, "b": false})
		},
		"f: must be exactly one of a, b, c (got a, c)": func(e *check.Errors) {
			check.ExactlyOne(e, "f", map[string]bool{"c": true, "a": true, "b": false})
		},
		`f: must be a name without a backslash, not a regular expression (got "a\\.b")`: func(e *check.Errors) { check.Name(e, "f", `a\.b`) },
		`f: must be set (got "")`: func(e *check.Errors) { e.That(false, "f", "set", "") },
		"f: unknown part":         func(e *check.Errors) { e.Wrap("f", errors.New("unknown part")) },
		"f::1: must be a regular expression (got \"(\"): error parsing regexp: missing closing ): `(`": func(e *check.Errors) {
			require.Len(t, check.Regexps(e, "f", []string{"a", "(", "b"}), 2)
		},
	} {
		var e check.Errors
		do(&e)
		require.EqualError(t, e.Err(), want)
	}
}

func TestChecksPass(t *testing.T) {
	var e check.Errors
	check.Range(&e, "f", 1, 1, 3)
	check.Range(&e, "f", 3, 1, 3)
	check.AtLeast(&e, "f", 1.5, 1.5)
	check.Positive(&e, "f", time.Nanosecond)
	check.NotNegative(&e, "f", 0.0)
	check.Share(&e, "f", 1)
	check.Finite(&e, "f", -math.MaxFloat64)
	check.Increasing(&e, "f", nil)
	check.Increasing(&e, "f", []float64{-math.MaxFloat64, 0, math.MaxFloat64})
	check.OneOf(&e, "f", "", "a", "")
	check.ExactlyOne(&e, "f", map[string]bool{"a": false, "b": true})
	check.Name(&e, "f", "a.b*[c]")
	e.That(true, "f", "set", "")
	e.Wrap("f", nil)
	require.Len(t, check.Regexps(&e, "f", []string{"a", "b"}), 2)
	require.NoError(t, e.Err())
	require.NoError(t, e.At("f").Err())
}

// Paths nest, have the Collector's delimiter, and keep the order of the checks.
func TestPaths(t *testing.T) {
	var e check.Errors
	check.Positive(&e, "window", 0)
	rule := e.At(check.Item("rules", 1))
	check.Positive(rule, "size", 0)
	check.Increasing(rule.At("target"), "bounds", []float64{2, 1})
	rule.Wrap("name", io.ErrUnexpectedEOF)
	require.EqualError(t, e.Err(), strings.Join([]string{
		"window: must be positive (got 0)",
		"rules::1::size: must be positive (got 0)",
		"rules::1::target::bounds::1: must be greater than the one before, 2 (got 1)",
		"rules::1::name: unexpected EOF",
	}, "\n"))
	require.ErrorIs(t, e.Err(), io.ErrUnexpectedEOF)
	require.Equal(t, e.Err(), rule.Err())

	var first *check.Error
	require.ErrorAs(t, e.Err(), &first)
	require.Equal(t, check.Error{Path: "window", Must: "positive", Got: 0}, *first)
	require.Equal(t, "a"+confmap.KeyDelimiter+"0", check.Item("a", 0))
}

func TestRegexpsAreAnchored(t *testing.T) {
	for _, tt := range []struct {
		expr               string
		matches, noMatches []string
	}{
		{"a", []string{"a"}, []string{"", "ab", "ba", "a\n", "\na"}},
		{"", []string{""}, []string{"a"}},
		{"a|b", []string{"a", "b"}, []string{"ab", "axxx", "xb"}},
		{`http\..*`, []string{"http.", "http.x"}, []string{"xhttp.x", "httpx"}},
		{"^a$", []string{"a"}, []string{"ab"}},
		{"(?m)^a$", []string{"a"}, []string{"a\nb", "b\na"}},
		{"(?i)a|b", []string{"A", "B"}, []string{"Ab", "xB"}},
		{"(?s).", []string{"\n"}, []string{"ab"}},
		{`\Qa.b`, []string{"a.b"}, []string{"axb", "a.b)"}},
		{`\Qa|b\E|c`, []string{"a|b", "c"}, []string{"a", "b", "xc"}},
		{"a+?", []string{"a", "aa"}, []string{"ab"}},
	} {
		var e check.Errors
		compiled := check.Regexps(&e, "f", []string{tt.expr})
		require.NoError(t, e.Err(), tt.expr)
		for _, s := range tt.matches {
			require.True(t, compiled[0].MatchString(s), "%q on %q", tt.expr, s)
		}
		for _, s := range tt.noMatches {
			require.False(t, compiled[0].MatchString(s), "%q on %q", tt.expr, s)
		}
	}
	for _, expr := range []string{"(", "a)|(?:b", "a)|(b", "*", `\`, "[", "a{2000}"} {
		var e check.Errors
		require.Empty(t, check.Regexps(&e, "f", []string{expr}))
		require.Error(t, e.Err(), expr)
	}
}
