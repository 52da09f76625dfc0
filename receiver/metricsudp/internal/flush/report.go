package flush

import (
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// Report has the counts of one flush.
type Report struct {
	Stats       series.Stats  // sums of all readers since the last report
	Series      int           // number of series
	Aliases     int           // number of aliases of all readers
	Duration    time.Duration // time to swap, merge and build the batches, without the consumer's time
	KernelDrops uint64        // datagrams since the last report
	BufferBytes int           // size of the smallest receive buffer; 0 if unknown
	Examples    []Example     // one per reason that occurred
	Suspects    []Suspect     // one per format that occurred
	Errors      []error       // errors of reading the sockets' statistics
	Readers     []uint64      // datagrams by reader since the last report
}

// Example is the beginning of a rejected line.
type Example struct {
	Reason line.Reason
	Text   string
}

// Suspect is the beginning of a name that seems to contain tags of a format that is switched off.
type Suspect struct {
	Format line.Format
	Name   string
}

func (f *Flusher) newReport() *Report {
	r := &Report{}
	for _, e := range f.epochs {
		addStats(&r.Stats, &e.Stats)
		r.Readers = append(r.Readers, e.Stats.Datagrams)
		r.Aliases += e.Aliases
	}
	for reason := range line.Reasons {
		for _, e := range f.epochs {
			if text := e.Example(reason); len(text) > 0 {
				r.Examples = append(r.Examples, Example{reason, string(text)})
				break
			}
		}
	}
	for format := range line.Formats {
		for _, e := range f.epochs {
			if name := e.Suspect(format); len(name) > 0 {
				r.Suspects = append(r.Suspects, Suspect{format, string(name)})
				break
			}
		}
	}
	for i, s := range f.Sources {
		stats, err := s.Stats()
		if err != nil {
			r.Errors = append(r.Errors, err)
			continue
		}
		if r.BufferBytes == 0 || stats.BufferBytes < r.BufferBytes {
			r.BufferBytes = stats.BufferBytes
		}
		r.KernelDrops += uint64(stats.Drops - f.drops[i]) // modulo 2^32, like the kernel's counter
		f.drops[i] = stats.Drops
	}
	return r
}

func addStats(sum, s *series.Stats) {
	sum.Datagrams += s.Datagrams
	sum.Bytes += s.Bytes
	sum.Denied += s.Denied
	sum.Truncated += s.Truncated
	sum.Overflowed += s.Overflowed
	sum.DuplicateTags += s.DuplicateTags
	sum.CleanedLines += s.CleanedLines
	sum.DroppedPoints += s.DroppedPoints
	for i, n := range s.Lines {
		sum.Lines[i] += n
	}
	for i, n := range s.Rejected {
		sum.Rejected[i] += n
	}
	for i, n := range s.NamesWithTags {
		sum.NamesWithTags[i] += n
	}
}
