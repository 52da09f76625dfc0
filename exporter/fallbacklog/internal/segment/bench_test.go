package segment

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The benchmark measures durable appends of many concurrent writers.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ size, writers int }{{4 << 10, 64}, {64 << 10, 16}} {
		b.Run(fmt.Sprintf("size=%dKiB/writers=%d", c.size>>10, c.writers), func(b *testing.B) {
			opt := options(b.TempDir())
			opt.Budget.Max = 16 << 30
			opt.MaxSegmentBytes = 64 << 20
			l := open(b, opt)
			record := frame(strings.Repeat("x", c.size))
			b.SetBytes(int64(len(record)))
			b.SetParallelism(c.writers / 2) // times GOMAXPROCS, which is 2 on the measured machine
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

// The benchmark measures the check that the active segment's file is still in place, which each commit makes in addition to its
// sync.
func BenchmarkInPlace(b *testing.B) {
	l := open(b, options(b.TempDir()))
	require.NoError(b, l.Append(frame("x")))
	for b.Loop() {
		if err := l.dir.checkPlace(l.writer.active.file.String(), l.writer.active.identity); err != nil {
			b.Fatal(err)
		}
	}
}

// The benchmark measures reading a log after a cold start and marking its records as done, without a downstream.
func BenchmarkDrain(b *testing.B) {
	const records, size = 1024, 64 << 10
	record := frame(strings.Repeat("x", size))
	b.SetBytes(records * int64(len(record)))
	for b.Loop() {
		b.StopTimer()
		opt := options(b.TempDir())
		opt.Budget.Max, opt.MaxSegmentBytes, opt.Sync = 16<<30, 64<<20, SyncNone
		l, err := Open(opt)
		require.NoError(b, err)
		for range records {
			require.NoError(b, l.Append(record))
		}
		require.NoError(b, l.Close())
		opt.Budget = &Budget{Max: 16 << 30}
		b.StartTimer()
		l, err = Open(opt)
		require.NoError(b, err)
		for {
			e, ok, err := l.Next()
			require.NoError(b, err)
			if !ok {
				break
			}
			require.NoError(b, l.Done(e))
		}
		require.NoError(b, l.Close())
	}
}
