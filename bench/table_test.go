//go:build linux

package bench

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// tableEnv is the environment variable with the name of a file to which the tables are appended.
const tableEnv = "BENCH_TABLE"

// measured has the results of this run in the order of the benchmarks.
var measured tables

type tables []*table

// table has a row per case and a column per contender.
type table struct {
	title   string
	columns []string
	rows    []row
}

type row struct {
	name  string
	cells map[string]string // by column
}

// set sets a cell. A new contender gets a column, and a new case gets a row.
func (t *tables) set(title, name, column, cell string) {
	i := slices.IndexFunc(*t, func(one *table) bool { return one.title == title })
	if i < 0 {
		i = len(*t)
		*t = append(*t, &table{title: title})
	}
	titled := (*t)[i]
	if !slices.Contains(titled.columns, column) {
		titled.columns = append(titled.columns, column)
	}
	if n := len(titled.rows); n == 0 || titled.rows[n-1].name != name {
		titled.rows = append(titled.rows, row{name, map[string]string{}})
	}
	titled.rows[len(titled.rows)-1].cells[column] = cell
}

func (t *table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n\n| | %s |\n|---|%s\n", t.title, strings.Join(t.columns, " | "), strings.Repeat("---|", len(t.columns)))
	for _, r := range t.rows {
		b.WriteString("| " + r.name + " |")
		for _, c := range t.columns {
			b.WriteString(" " + r.cells[c] + " |")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// write prints the tables, and appends them to the file if the environment names one. Without results it writes nothing.
func (t tables) write() error {
	if len(t) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d CPUs, Linux %s, %s. Receive buffers as SO_RCVBUF says: %d bytes, -large: %d.\n",
		runtime.NumCPU(), kernelRelease(), runtime.Version(), defaultBuffer(), largeBuffer())
	b.WriteString("Median (minimum to maximum) of the rounds, and the share that was lost.\n")
	for _, one := range t {
		b.WriteString("\n" + one.String())
	}
	fmt.Fprint(os.Stdout, b.String())
	path := os.Getenv(tableEnv)
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(b.String()); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// report adds the figures of a case to the benchmark and to the table.
func report(b *testing.B, title, name string, contenders []contender, results [][]result) {
	for i, c := range contenders {
		cpu := spreadOf(results[i], func(r result) float64 { return r.cpu })
		lost := spreadOf(results[i], func(r result) float64 { return 100 * r.lost })
		b.ReportMetric(cpu.median, c.name+"-us/line")
		b.ReportMetric(lost.median, c.name+"-lost-%")
		measured.set(title, name, c.name, fmt.Sprintf("%s, lost %s %%", cpu, lost))
	}
}

func reportMemory(b *testing.B, title, name string, contenders []contender, results [][]result) {
	for i, c := range contenders {
		rss := spreadOf(results[i], func(r result) float64 { return r.peakRSS })
		b.ReportMetric(rss.median, c.name+"-peak-MiB")
		measured.set(title, name, c.name, fmt.Sprintf("%.0f", rss.median))
	}
}

func reportLimits(b *testing.B, title, name string, contenders []contender, limits []limit) {
	for i, c := range contenders {
		b.ReportMetric(limits[i].rate, c.name+"-lines/s")
		measured.set(title, name, c.name, limits[i].String())
	}
}

func TestTable(t *testing.T) {
	var all tables
	all.set("CPU", "base", "a", "1")
	all.set("CPU", "base", "b", "2")
	all.set("CPU", "sets", "a", spread{1, 2, 3}.String())
	all.set("Rate", "base", "a", limit{2e6, true}.String())
	var got strings.Builder
	for _, one := range all {
		got.WriteString(one.String())
	}
	want := "CPU:\n\n| | a | b |\n|---|---|---|\n| base | 1 | 2 |\n| sets | 2 (1 to 3) |  |\n" +
		"Rate:\n\n| | a |\n|---|---|\n| base | >= 2000k (the sender's limit) |\n"
	if got.String() != want {
		t.Errorf("must be\n%s(got)\n%s", want, got.String())
	}
}
