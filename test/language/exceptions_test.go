package language

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	toldInA1 = Finding{Path: "a.go", Line: 1, Word: "is told", Better: "X"}
	toldInA2 = Finding{Path: "a.go", Line: 2, Word: "is told", Better: "X"}
	toldInB  = Finding{Path: "b.go", Line: 9, Word: "is told", Better: "X"}
	heldInA  = Finding{Path: "a.go", Line: 3, Word: "hold", Better: "Y"}
)

func listed(t *testing.T, content string) Exceptions {
	t.Helper()
	out, err := ParseExceptions(content)
	require.NoError(t, err)
	return out
}

func TestExceptionsRoundTrip(t *testing.T) {
	const content = "a.go\thold\t1\na.go\tis told\t2\nb.go\tis told\t1\n"
	assert.Equal(t, content, listed(t, content).String())
	assert.Equal(t, content, count([]Finding{toldInB, toldInA1, heldInA, toldInA2}).String())
}

func TestUnionMergeLeavesTheLowestCount(t *testing.T) {
	assert.Equal(t, Exceptions{{"a.go", "hold"}: 2}, listed(t, "a.go\thold\t5\na.go\thold\t2\na.go\thold\t3\n"))
}

func TestMalformedExceptions(t *testing.T) {
	for content, want := range map[string]string{
		"a.go\thold\t1\nb.go\thold\n":   `line 2: must be path, word and count, separated by tabs (got "b.go\thold")`,
		"a.go\thold\tmany\n":            `line 1: count must be a positive number (got "many")`,
		"a.go\thold\t0\n":               `line 1: count must be a positive number (got "0")`,
		"<<<<<<< HEAD\na.go\thold\t1":   `line 1: must be path, word and count, separated by tabs (got "<<<<<<< HEAD")`,
		"a.go\thold\t1\n\nb.go\tx\t1\n": `line 2: must be path, word and count, separated by tabs (got "")`,
	} {
		_, err := ParseExceptions(content)
		assert.EqualError(t, err, want)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		listed   string
		findings []Finding
		want     string
	}{
		"as listed": {"a.go\tis told\t2\n", []Finding{toldInA1, toldInA2}, ""},
		"new":       {"a.go\tis told\t1\n", []Finding{toldInA1, heldInA}, `a.go:3: instead of "hold" write Y`},
		"more": {
			"a.go\tis told\t1\n",
			[]Finding{toldInA1, toldInA2},
			"a.go:1: instead of \"is told\" write X (one of 2 places, 1 listed)\na.go:2: instead of \"is told\" write X (one of 2 places, 1 listed)",
		},
		"fewer": {
			"a.go\tis told\t2\n",
			[]Finding{toldInA1},
			`a.go: "is told" is listed 2 times and found 1 times: run 'make language' to lower the list`,
		},
		"none left": {
			"a.go\thold\t1\n",
			nil,
			`a.go: "hold" is listed 1 times and found 0 times: run 'make language' to lower the list`,
		},
		"moved": {
			"a.go\tis told\t1\n",
			[]Finding{toldInB},
			"b.go:9: instead of \"is told\" write X\na.go: \"is told\" is listed 1 times and found 0 times: run 'make language' to lower the list",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := listed(t, c.listed).Check(c.findings)
			if c.want == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, c.want)
			}
		})
	}
}

func TestLower(t *testing.T) {
	before := listed(t, "a.go\thold\t1\na.go\tis told\t2\n")
	for name, c := range map[string]struct {
		findings []Finding
		want     string
	}{
		"fewer":       {[]Finding{toldInA1, heldInA}, "a.go\thold\t1\na.go\tis told\t1\n"},
		"none left":   {[]Finding{toldInA1, toldInA2}, "a.go\tis told\t2\n"},
		"one moved":   {[]Finding{toldInA1, toldInB}, "a.go\tis told\t1\nb.go\tis told\t1\n"},
		"all is well": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			after, err := before.Lower(c.findings)
			require.NoError(t, err)
			assert.Equal(t, c.want, after.String())
		})
	}
}

func TestLowerNeverRaisesATotal(t *testing.T) {
	_, err := listed(t, "a.go\thold\t1\na.go\tis told\t2\n").Lower([]Finding{toldInA1, toldInA2, toldInB})
	assert.EqualError(t, err, `b.go:9: instead of "is told" write X (3 places in all files, 2 listed)`)
}
