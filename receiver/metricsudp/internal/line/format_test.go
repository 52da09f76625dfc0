package line

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const allFormats FormatSet = 1<<Formats - 1

func formatSet(formats ...Format) (s FormatSet) {
	for _, f := range formats {
		s.Add(f)
	}
	return s
}

func formatLimits(s FormatSet) *Limits {
	limits := testLimits
	limits.NameFormats = s
	return &limits
}

// describe returns the plain name, the tags and the values of a line as text.
func describe(l *Line) string {
	before, tags, after := l.NameParts()
	out := string(before) + string(after)
	if l.Format == Plain {
		tags = l.Tags
	}
	for len(tags) > 0 {
		var tag []byte
		if tag, tags = l.Format.CutTag(tags); len(tag) > 0 {
			key, value := l.Format.CutValue(tag)
			out += fmt.Sprintf(" %s=%s", key, value)
		}
	}
	for _, v := range l.Values {
		out += fmt.Sprint(" ", v.Float)
	}
	return out + string(l.Member)
}

func TestNameFormats(t *testing.T) {
	for _, tt := range []struct {
		on       FormatSet
		in, want string
	}{
		{formatSet(Influx), "users,host=a,dc=b:1|c", "users host=a dc=b 1"},
		{formatSet(Influx), "users,host=a:1|c|@0.5", "users host=a 1"},
		{formatSet(Librato), "users#host=a,dc=b:1|c", "users host=a dc=b 1"},
		{formatSet(SignalFx), "users[host=a,dc=b]:1|c", "users host=a dc=b 1"},
		{formatSet(SignalFx), "users[host=a].count:1|c", "users.count host=a 1"},
		{formatSet(SignalFx), "[host=a]users:1|c", "users host=a 1"},
		{formatSet(Graphite), "users;host=a;dc=b:1|c", "users host=a dc=b 1"},
		{formatSet(Lyft), "users.count.__host=a.__dc=b.c:1|c", "users.count host=a dc=b.c 1"},

		// The tag field needs no format, and names without tags are unchanged.
		{allFormats, "users.count:1:2|c|#host:a,dc:b=c", "users.count host=a dc=b=c 1 2"},
		{allFormats, "users.count:1|c", "users.count 1"},
		// Delimiters of other formats are ordinary bytes of names and values.
		{formatSet(Influx), "a;b,k=x;y[z]#w.__q=r:1|c", "a;b k=x;y[z]#w.__q=r 1"},
		{formatSet(Graphite), "a,b=c;k=x,y:1|c", "a,b=c k=x,y 1"},
		{0, "a,k=v:1|c", "a,k=v 1"},
		// The first delimiter decides.
		{allFormats, "a,k=v;w=x#y:1|c", "a k=v;w=x#y 1"},
		{allFormats, "a[k=v,l=w;x]:1|c", "a k=v l=w;x 1"},

		// Values begin after the last colon that the format cannot contain.
		{formatSet(Influx), "req,url=http://h:80/x:1|c", "req url=http://h:80/x 1"},
		{formatSet(Librato), "req#ip=::1:1|c", "req ip=::1 1"},
		{formatSet(Graphite), "req;host=h:8080:1|c", "req host=h:8080 1"},
		{formatSet(SignalFx), "req[url=http://h:80]:1:2|ms", "req url=http://h:80 1 2"},
		{formatSet(SignalFx), "req[a=b:c].all:1|c", "req.all a=b:c 1"},
		{formatSet(Lyft), "req.__a=b:1:2|ms", "req a=b 1 2"},
		{formatSet(Influx), "req,a=b:x:y|s", "req a=b:x" + "y"},

		// Equals signs after the first, tags without a value, empty tags, no tags.
		{formatSet(Influx), "a,k=v=w,x,,y=:1|c", "a k=v=w x= y= 1"},
		{formatSet(Graphite), "a;;k=v;:1|c", "a k=v 1"},
		{formatSet(SignalFx), "a[]b:1|c", "ab 1"},
		{formatSet(Librato), "a#:1|c", "a 1"},

		// Names that only look like Lyft's.
		{formatSet(Lyft), "pkg.__init__.calls:1|c", "pkg.__init__.calls 1"},
		{formatSet(Lyft), "pkg.__init__.calls.__k=v:1|c", "pkg.__init__.calls k=v 1"},
		{formatSet(Lyft), "a.__=v:1|c", "a.__=v 1"},
		{formatSet(Lyft), "a.__k=pkg.__init__.calls.__l=w:1|c", "a k=pkg.__init__.calls l=w 1"},
		{formatSet(Lyft), "a.__k=v.__=w.__:1|c", "a k=v.__=w.__ 1"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			var l Line
			require.Equal(t, OK, Parse([]byte(tt.in), &l, formatLimits(tt.on)))
			assert.Equal(t, tt.want, describe(&l))
		})
	}
}

func TestNameFormatsRefused(t *testing.T) {
	long := strings.Repeat("x", testLimits.NameBytes+1)
	for in, want := range map[string]Reason{
		"a,k=v:1|c|#x:y": MixedTags, "a;k=v:1|c|#": MixedTags, "a[k=v]:1|c|@1|#x": MixedTags, "a.__k=v:1|c|#x:y": MixedTags,
		"a#:1|c|#x:y": MixedTags,
		",k=v:1|c":    NoName, "#k=v:1|c": NoName, "[k=v]:1|c": NoName, ";k=v:1|c": NoName, ".__k=v:1|c": NoName, ":1|c": NoName,
		long + ",k=v:1|c": NameTooLong, "a[k=v]" + long + ":1|c": NameTooLong,
		"a;k=" + strings.Repeat("x", testLimits.TagBytes) + ":1|c": TagsTooLong,
		"a[k=v:1|c": BadTag, "a[k=v|]:1|c": BadTag,
		"a,k=v|c": NoValue, "a[k=v]1|c": NoValue, "a,k=v": NoValue, "a,k=v:1": NoType,
		"a,k=v:http://x|c": BadValue, "a;k=v:1|x": UnknownType,
	} {
		var l Line
		assert.Equal(t, want, Parse([]byte(in), &l, formatLimits(allFormats)), in)
	}
}

// A line without tags in its name comes after a line with such tags.
func TestFormatIsOfOneLine(t *testing.T) {
	var l Line
	require.Equal(t, OK, Parse([]byte("a,k=v:1|c"), &l, formatLimits(allFormats)))
	require.Equal(t, OK, Parse([]byte("a:1|c|#k:v"), &l, formatLimits(allFormats)))
	assert.Equal(t, "a k=v 1", describe(&l))
}

func TestTagFieldCanBeOff(t *testing.T) {
	limits := *formatLimits(formatSet(Influx))
	limits.NoTagField = true
	var l Line
	require.Equal(t, OK, Parse([]byte("a,k=v:1|c|#x:y"), &l, &limits))
	assert.Equal(t, "a k=v 1", describe(&l))
	limits.RefuseUnknown = true
	assert.Equal(t, UnknownField, Parse([]byte("a:1|c|#x:y"), &l, &limits))
}

func TestSuspect(t *testing.T) {
	for name, want := range map[string]Format{
		"a,k=v": Influx, "a#k=v": Librato, "a[k=v]": SignalFx, "a;k=v": Graphite, "a.b.__k=v": Lyft,
		"a.__init__,k=v": Influx,
		"a":              Plain, "a.b.c": Plain, "a,b": Plain, "a#": Plain, "a=b,c": Plain, "a,=v": Plain, "a.__init__": Plain,
		"SELECT a FROM b": Plain, "a[0]": Plain, "": Plain,
	} {
		assert.Equal(t, want, Suspect([]byte(name)), name)
	}
}

func TestAllocsNameFormats(t *testing.T) {
	limits := formatLimits(allFormats)
	for _, in := range []string{
		"users,host=a,dc=b:1|c", "users#host=a:1|c", "users[host=a]x:1|c", "users;host=a:1|c", "users.__host=a:1|c", "users:1|c|#host:a",
	} {
		b := []byte(in)
		l := Line{Values: make([]Value, 0, 8)}
		assert.Zero(t, testing.AllocsPerRun(100, func() { Parse(b, &l, limits) }), in)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, bench := range []struct {
		name, line string
		on         FormatSet
	}{
		{"tag field", "service.requests.count.042:1|c|#env:prod,region:eu1,code:200", 0},
		{"tag field, formats on", "service.requests.count.042:1|c|#env:prod,region:eu1,code:200", allFormats},
		{"influx", "service.requests.count.042,env=prod,region=eu1,code=200:1|c", formatSet(Influx)},
		{"lyft", "service.requests.count.042.__env=prod.__region=eu1.__code=200:1|c", formatSet(Lyft)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			limits, in := formatLimits(bench.on), []byte(bench.line)
			var l Line
			b.ReportAllocs()
			for b.Loop() {
				Parse(in, &l, limits)
			}
		})
	}
}

// fuzzFormats checks that no bytes panic with a set of formats, that the parts of a name are parts of the line, and that a line
// without tags in its name has the same result with all formats off.
func fuzzFormats(f *testing.F, on FormatSet) {
	for _, s := range []string{
		"users,host=a,dc=b:1|c", "users#host=a:1:2|ms", "users[host=a]x:1|c", "users;host=::1:1|c", "users.__host=a.__b=c:1|c",
		"a[k=v:1|c", "a]b[:1|c", ",=:1|c", "a.__b.__=:1|c", "a:1|c|#k:v", "a,b:1|c|#k:v", "[]:|", ".__k=v:1|s", "a,k=\xff:1|g",
	} {
		f.Add([]byte(s))
	}
	limits, off := formatLimits(on), formatLimits(0)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		var l, plain Line
		reason := Parse(b, &l, limits)
		if l.Format == Plain {
			if want := Parse(b, &plain, off); reason != want {
				t.Fatalf("%q: %v, with formats off %v", b, reason, want)
			}
			return
		}
		if reason != OK || l.Kind == Event || l.Kind == ServiceCheck {
			return
		}
		if !on.Has(l.Format) {
			t.Fatalf("%q: format %v is off", b, l.Format)
		}
		before, tags, after := l.NameParts()
		if n := len(before) + len(after); n == 0 || n > limits.NameBytes || len(tags) > limits.TagBytes {
			t.Fatalf("%q: name %q %q, tags %q", b, before, after, tags)
		}
		if !bytes.HasPrefix(b, l.Name) || b[len(l.Name)] != ':' || len(l.Tags) > 0 {
			t.Fatalf("%q: name %q, tag field %q", b, l.Name, l.Tags)
		}
		for rest := tags; len(rest) > 0; {
			n := len(rest)
			if _, rest = l.Format.CutTag(rest); len(rest) >= n {
				t.Fatalf("%q: no end of %q", b, tags)
			}
		}
	})
}

func FuzzNameFormats(f *testing.F)  { fuzzFormats(f, allFormats) }
func FuzzInfluxName(f *testing.F)   { fuzzFormats(f, formatSet(Influx)) }
func FuzzLibratoName(f *testing.F)  { fuzzFormats(f, formatSet(Librato)) }
func FuzzSignalFxName(f *testing.F) { fuzzFormats(f, formatSet(SignalFx)) }
func FuzzGraphiteName(f *testing.F) { fuzzFormats(f, formatSet(Graphite)) }
func FuzzLyftName(f *testing.F)     { fuzzFormats(f, formatSet(Lyft)) }
