package series

import "github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"

// eaches is the aggregator of metrics of which every value is a point by itself: a
// TimedPoint that has the time of receipt. Their series have no state but that they
// are in use.
type eaches struct{}

func (eaches) aggregation() Aggregation { return Each }

func (eaches) local(int) *local {
	var x struct {
		local
		eachShare
	}
	x.eachShare = eachShare{&x.local}
	x.share = &x.eachShare
	return &x.local
}

func (eaches) localBytes() int { return 48 }

func (eaches) value() value { return eachValue{} }

func (eaches) trim() {}

type eachShare struct{ of *local }

func (s *eachShare) add(_ int, l *line.Line, at int64, t *Table, _ bool) bool {
	t.addReceived(s.of.series, l, at)
	return true
}

type eachValue struct{}

func (eachValue) merge(share, int) bool { return false }
func (eachValue) settle()               {}
func (eachValue) clear()                {}
