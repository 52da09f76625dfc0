package series

import "github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"

// eaches is the aggregator of metrics whose values each become a point: a TimedPoint with the time of receipt. A series of
// such a metric has no values. It only records that lines name it.
type eaches struct{}

func (eaches) aggregation() Aggregation { return Each }

func (eaches) newPart(int) *part {
	var x struct {
		part
		eachAccumulator
	}
	x.eachAccumulator = eachAccumulator{&x.part}
	x.accumulator = &x.eachAccumulator
	return &x.part
}

func (eaches) partSize() int { return 48 }

func (eaches) newSeries() *Series { return &Series{value: eachValue{}} }

func (eaches) trim() {}

type eachAccumulator struct{ owner *part }

func (s *eachAccumulator) add(_ int, l *line.Line, at int64, t *Table, _ bool) bool {
	t.addReceived(s.owner.series, l, at)
	return true
}

type eachValue struct{}

func (eachValue) merge(accumulator, int) bool { return false }
func (eachValue) finishMerge()                {}
func (eachValue) clear()                      {}
