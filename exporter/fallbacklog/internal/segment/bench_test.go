package segment

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Appends that are durable before they return, from many writers at once.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ size, writers int }{{4 << 10, 64}, {64 << 10, 16}} {
		b.Run(fmt.Sprintf("size=%dKiB/writers=%d", c.size>>10, c.writers), func(b *testing.B) {
			opt := options(b.TempDir())
			opt.Budget.Max = 16 << 30
			opt.MaxSegmentBytes = 64 << 20
			l := open(b, opt)
			record := frame(strings.Repeat("x", c.size))
			b.SetBytes(int64(len(record)))
			b.SetParallelism(c.writers / 2) // times GOMAXPROCS, 2 where this is measured
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := l.Append(record); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			made := true
			for made {
				var err error
				made, err = l.DropOldest(func([]byte) {})
				require.NoError(b, err)
			}
		})
	}
}

// What a group of appends pays for looking whether its file is still where it was made, beside its sync.
func BenchmarkInPlace(b *testing.B) {
	l := open(b, options(b.TempDir()))
	require.NoError(b, l.Append(frame("x")))
	for b.Loop() {
		if err := l.isAt(l.active.found, l.active.path); err != nil {
			b.Fatal(err)
		}
	}
}

// The same appends with sealed segments being compressed beside them, and without: 64 KiB of text that zstd takes to a
// fifth or so.
func BenchmarkAppendBesidePacking(b *testing.B) {
	for _, packs := range []bool{false, true} {
		b.Run(fmt.Sprint("packs=", packs), func(b *testing.B) {
			opt := options(b.TempDir())
			opt.Budget.Max = 16 << 30
			opt.MaxSegmentBytes = 64 << 20
			opt.Compress = packs
			l := open(b, opt)
			rng := rand.New(rand.NewPCG(1, 2))
			var text strings.Builder
			for text.Len() < 64<<10 {
				fmt.Fprintf(&text, `{"key":"http.route","value":{"stringValue":"/api/%d"}},`, rng.IntN(1<<20))
			}
			record := frame(text.String())
			b.SetBytes(int64(len(record)))
			b.SetParallelism(8)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := l.Append(record); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			s := l.Stats()
			b.ReportMetric(float64(s.Bytes)/float64(s.Unread), "disk/appended")
		})
	}
}
