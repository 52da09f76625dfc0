package line

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var testLimits = Limits{NameBytes: 32, TagBytes: 64, MinRate: 1e-6}

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		want Line // Values compared by Float only
	}{
		{"page.views:1|c", Line{Kind: Counter, Name: []byte("page.views"), Values: floats(1)}},
		{"page.views:3|c|@0.5", Line{Kind: Counter, Name: []byte("page.views"), Values: floats(3), Rate: 0.5}},
		{"page.views:-3|c", Line{Kind: Counter, Name: []byte("page.views"), Values: floats(-3)}},
		{"fuel:0.5|g|#env:dev,team", Line{Kind: Gauge, Name: []byte("fuel"), Values: floats(0.5), Tags: []byte("env:dev,team")}},
		{"song:240.25|h|@0.25", Line{Kind: Histogram, Name: []byte("song"), Values: floats(240.25), Rate: 0.25}},
		{"t:320|ms", Line{Kind: Timer, Name: []byte("t"), Values: floats(320)}},
		{"d:1:2:3e2|d", Line{Kind: Distribution, Name: []byte("d"), Values: floats(1, 2, 300)}},
		{"d:1::2:|d", Line{Kind: Distribution, Name: []byte("d"), Values: floats(1, 2)}},
		{"u:a:b:c|s", Line{Kind: Set, Name: []byte("u"), Member: []byte("a:b:c")}},
		{"a:1|c|#", Line{Kind: Counter, Name: []byte("a"), Values: floats(1), Tags: []byte{}}},
		{"a:1|c||", Line{Kind: Counter, Name: []byte("a"), Values: floats(1)}},
		{"a:1|c|#x:y|@0.1|c:ci-1|e:it-true|card:low|T1656581400", Line{
			Kind: Counter, Name: []byte("a"), Values: floats(1), Rate: 0.1, Tags: []byte("x:y"),
			Container: []byte("ci-1"), External: []byte("it-true"), Timestamp: 1656581400,
		}},
		{"a:1|c|T1656581400|card:high|e:x|c:in-2|@0.1|#x:y", Line{
			Kind: Counter, Name: []byte("a"), Values: floats(1), Rate: 0.1, Tags: []byte("x:y"),
			Container: []byte("in-2"), External: []byte("x"), Timestamp: 1656581400,
		}},
		{"a:1|c|zz:future|$|#x", Line{Kind: Counter, Name: []byte("a"), Values: floats(1), Tags: []byte("x")}},
		{"a:1|c|#x|#y", Line{Kind: Counter, Name: []byte("a"), Values: floats(1), Tags: []byte("y")}},
		{"a:1|c|:|::x|:x2|cc|msx", Line{Kind: Counter, Name: []byte("a"), Values: floats(1)}},
		{" a : 1 :\t2 | c ", Line{Kind: Counter, Name: []byte(" a "), Values: floats(1, 2)}},
		{"a: -1.5e1\v|g|@ 0.5 |T 5 ", Line{Kind: Gauge, Name: []byte("a"), Values: floats(-15), Rate: 0.5, Timestamp: 5}},
		{"a:1|c|T9223372036", Line{Kind: Counter, Name: []byte("a"), Values: floats(1), Timestamp: 9223372036}},
		{"u: x |s", Line{Kind: Set, Name: []byte("u"), Member: []byte(" x ")}},
		{"_e{5,4}:title|text", Line{Kind: Event}},
		{"_e{5,4}:title|text|p:low|#a:b", Line{Kind: Event}},
		{"_e{1,0}:t|", Line{Kind: Event}},
		{"_sc|Redis connection|2|#env:dev", Line{Kind: ServiceCheck}},
		{"_sc|x|0", Line{Kind: ServiceCheck}},
		{"_under:1|c", Line{Kind: Counter, Name: []byte("_under"), Values: floats(1)}},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			var l Line
			require.Equal(t, OK, Parse([]byte(tt.in), &l, &testLimits))
			assert.Equal(t, tt.want.Kind, l.Kind)
			if l.Kind == Event || l.Kind == ServiceCheck {
				return
			}
			if tt.want.Rate == 0 {
				tt.want.Rate = 1
			}
			got := make([]float64, 0)
			for _, v := range l.Values {
				got = append(got, v.Float)
			}
			want := make([]float64, 0)
			for _, v := range tt.want.Values {
				want = append(want, v.Float)
			}
			assert.Equal(t, want, got)
			l.Values, tt.want.Values = nil, nil
			assert.Equal(t, tt.want, l)
		})
	}
}

func TestUnknownFieldsCanBeRefused(t *testing.T) {
	limits := testLimits
	limits.RefuseUnknown = true
	for in, want := range map[string]Reason{
		"a:1|c|zz:future": UnknownField, "a:1|c|cx": UnknownField, "a:1|c|ex|#x": UnknownField,
		"a:1|c||#x|@1|T5|c:x|e:x|card:x|": OK,
	} {
		var l Line
		assert.Equal(t, want.String(), Parse([]byte(in), &l, &limits).String(), in)
	}
}

func floats(f ...float64) []Value {
	v := make([]Value, len(f))
	for i := range f {
		v[i].Float = f[i]
	}
	return v
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		in   string
		want Reason
	}{
		{"novalue", NoValue},
		{"a:", NoType},
		{"a:|c", NoValue},
		{"a:::|c", NoValue},
		{"a:|s", NoValue},
		{":1|c", NoName},
		{"a.name.that.is.longer.than.thirty.two:1|c", NameTooLong},
		{"a:1", NoType},
		{"a:1|", NoType},
		{"a:1||#x", NoType},
		{"a:1|m", UnknownType},
		{"a:1|C", UnknownType},
		{"a:1|msx", UnknownType},
		{"a:1|c|:2|c", UnknownType},
		{"a:0|ms|:1|ms", UnknownType},
		{"a:1|c|#t:v:2|c", UnknownType},
		{"a:1|c|@0.5|:-2.5", UnknownType},
		{"a:1|c|:2:3|#x", UnknownType},
		{"a:1|g|: 2", UnknownType},
		{"a:1|c|::2", UnknownType},
		{"a:1|c|::2|c", UnknownType},
		{"a:1|c|:::2", UnknownType},
		{"a:1|c|: :2", UnknownType},
		{"a:1|c| :2", UnknownType},
		{"a:1|c|:x:2", UnknownType},
		{"a:1|d|#t|::x::3:", UnknownType},
		{"u:x|s|:y", UnknownType},
		{"u:x|s|::y|s", UnknownType},
		{"a:1|g|g", UnknownType},
		{"a:1|g|#x|ms ", UnknownType},
		{"u:x|s|s", UnknownType},
		{"a:1| |#x", UnknownType},
		{"a:x|c", BadValue},
		{"a: |c", BadValue},
		{"a:1 - 2|c", BadValue},
		{"a:1:x|c", BadValue},
		{"a:NaN|g", BadValue},
		{"a:inf|g", BadValue},
		{"a:-Infinity|g", BadValue},
		{"a:0x1p4|g", BadValue},
		{"a:1_000|g", BadValue},
		{"a:.|g", BadValue},
		{"a:-|g", BadValue},
		{"a:1e|g", BadValue},
		{"a:1 1|g", BadValue},
		{"a:1e300|g", OutOfRange},
		{"a:1e999|g", OutOfRange},
		{"a:-1" + strings.Repeat("0", 400) + "|h", OutOfRange},
		{"a:1|c|:1e999", UnknownType},
		{"a:1|c|@1e999", BadRate},
		{"a:1|c|T1e999", BadTimestamp},
		{"a:1e288|c|@0.001", OutOfRange},
		{"a:1|c|@0", BadRate},
		{"a:1|c|@-1", BadRate},
		{"a:1|c|@1.5", BadRate},
		{"a:1|c|@NaN", BadRate},
		{"a:1|c|@", BadRate},
		{"a:1|c|@1e-300", RateTooSmall},
		{"a:1|c|@0.0000001", RateTooSmall},
		{"a:1|c|T", BadTimestamp},
		{"a:1|c|T-5", BadTimestamp},
		{"a:1|c|T1.5", BadTimestamp},
		{"a:1|c|T9223372036854775807", BadTimestamp},
		{"a:1|c|T9223372037", BadTimestamp},
		{"a:1|c|#" + string(make([]byte, 65)), TagsTooLong},
		{"_e{5,4}:title", BadAnnotation},
		{"_e{5,4}title|text", BadAnnotation},
		{"_e{99999999999999999,1}:t|t", BadAnnotation},
		{"_e{1,9223372036854775807}:t|t", BadAnnotation},
		{"_e{-1,1}:t|t", BadAnnotation},
		{"_e{ 1,1}:t|t", BadAnnotation},
		{"_e{1, 1 }:t|t", BadAnnotation},
		{"_e{1,+1}:t|t", BadAnnotation},
		{"_e{1,}:t|t", BadAnnotation},
		{"_e{", BadAnnotation},
		{"_e{1,1}:a|bc", BadAnnotation},
		{"_sc|", BadAnnotation},
		{"_sc|name|4", BadAnnotation},
		{"_sc|name|11", BadAnnotation},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			var l Line
			assert.Equal(t, tt.want.String(), Parse([]byte(tt.in), &l, &testLimits).String())
		})
	}
}

func TestNumberAgreesWithStrconv(t *testing.T) {
	for _, s := range []string{
		"0", "1", "-1", "+1", "007", "123456789012345678", "1234567890123456789", "9223372036854775807",
		"-9223372036854775808", "9223372036854775808", "0.1", "-0.1", ".5", "5.", "0.30000000000000004",
		"12345678901234567.8", "9007199254740993.0", "0.12345678901234567", "123456789012345678901234567890.5",
		"1e10", "1E-7", "1.5e+3", "-2.5e-3", "4.9e-324", "99999999999999999.9",
	} {
		v, ok := number([]byte(s))
		require.True(t, ok, s)
		want, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		assert.Equal(t, math.Float64bits(want), math.Float64bits(v.Float), s)
		i, err := strconv.ParseInt(s, 10, 64)
		assert.Equal(t, err == nil, v.Whole, s)
		if err == nil {
			assert.Equal(t, i, v.Int, s)
		}
		assert.Equal(t, s[0] == '+' || s[0] == '-', v.Signed, s)
	}
}

// One number has one form, however it is written.
func TestZeroHasNoSign(t *testing.T) {
	for _, s := range []string{"-0", "-0.0", "-.0", "-0e0", "-0.00000000000000000000", "-1e-400"} {
		v, ok := number([]byte(s))
		require.True(t, ok, s)
		assert.Zero(t, math.Float64bits(v.Float), s)
	}
}

func TestNames(t *testing.T) {
	for k := Invalid; k < Kinds; k++ {
		assert.NotEmpty(t, k.String())
	}
	for r := OK; r < Reasons; r++ {
		assert.NotEmpty(t, r.String(), "reason %d", r)
	}
}

func TestAllocsParse(t *testing.T) {
	for _, in := range []string{
		"page.views:1|c|@0.1|#env:dev,team:a", "g:+0.5|g", "t:320.5:17:1e3|ms|#a:b", "d:1|d|c:x", "h:1|h", "u:alice|s",
		"_e{5,4}:title|text", "bad:x1|g", "big:99999999999999999999999999999999999999999999|g",
	} {
		b := []byte(in)
		l := Line{Values: make([]Value, 0, 8)}
		assert.Zero(t, testing.AllocsPerRun(100, func() { Parse(b, &l, &testLimits) }), in)
	}
}

// FuzzParse checks that no bytes panic, and the invariants of accepted lines.
func FuzzParse(f *testing.F) {
	_, lines := examples(f)
	for _, s := range append(lines,
		"a:1|c|#\xff\xfe:\x80", "a:|", "|", ":", "@", "a:1::2|ms|#,,", "a:0x1p-2|c", "_e{1,9223372036854775807}:t|t",
		"a:1|c|::2", "a:1|c|:x", "u:x|s|:", "||:0|c", "a:1|c|#,:,k:1,k:2|#|c:|e:|card:|T1|@1", "a:99999999999999999999|c", "a:-9223372036854775808|c|@1e-6", "_sc||0", "_",
	) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		var l Line
		switch reason := Parse(b, &l, &testLimits); {
		case reason >= Reasons:
			t.Fatalf("reason %d", reason)
		case reason != OK:
			return
		}
		switch l.Kind {
		case Event, ServiceCheck:
			return
		case Set:
			if len(l.Member) == 0 {
				t.Fatal("set without member")
			}
		case Counter, Gauge, Timer, Histogram, Distribution:
			if len(l.Values) == 0 {
				t.Fatal("no value")
			}
		default:
			t.Fatalf("accepted kind %v", l.Kind)
		}
		// Parse does not check for a bar in a name; the caller does.
		if value := valueInFields(b[len(l.Name):], l.Kind); value != nil {
			t.Fatalf("accepted without the value %q", value)
		}
		if len(l.Name) == 0 || len(l.Name) > testLimits.NameBytes || !(l.Rate >= testLimits.MinRate && l.Rate <= 1) {
			t.Fatalf("accepted name %q rate %v", l.Name, l.Rate)
		}
		for _, v := range l.Values {
			if math.IsNaN(v.Float) || math.Abs(v.Float)/l.Rate > maxMagnitude {
				t.Fatalf("accepted value %v", v.Float)
			}
		}
	})
}

// valueInFields returns a value after the type and a colon, or nil.
func valueInFields(b []byte, kind Kind) []byte {
	suffix := map[Kind]string{Counter: "|c", Gauge: "|g", Timer: "|ms", Histogram: "|h", Distribution: "|d", Set: "|s"}[kind]
	for _, field := range bytes.Split(b, []byte{'|'})[2:] {
		if field = TrimBlanks(field); len(field) == 0 || field[0] != ':' {
			continue
		}
		for _, value := range bytes.Split(field, []byte{':'}) {
			var l Line
			if Parse([]byte("a:"+string(value)+suffix), &l, &testLimits) == OK {
				return value
			}
		}
	}
	return nil
}
