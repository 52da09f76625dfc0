package cardinalitylimit

import (
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/rank"
)

// askCluster asks the cluster which of the strangers may have places. It asks about one limit at a time, because a later limit
// does not decide on a point that an earlier one folds.
func (w *walker) askCluster(strangers []rank.Stranger) {
	w.unanswered = append(w.unanswered[:0], strangers...)
	for len(w.unanswered) > 0 {
		waiting := w.unanswered[:0]
		for _, s := range w.unanswered {
			w.pos = w.metricsOfStrangers[s.Metric]
			w.cursor.Return(w.pos.cursorPos)
			if typeOf(w.pos.metric).wantsPlace(w, w.pos.metric, int(s.Point)) {
				waiting = append(waiting, s)
			}
		}
		w.unanswered = waiting
		if !w.cursor.AskCluster() {
			return
		}
	}
}

// wantsPlace reports whether p needs an answer of the cluster.
func wantsPlace[P datapoint](w *walker, p P, c *codec[P]) bool {
	attributes := p.Attributes()
	if w.cutter.Copy {
		attributes, _ = w.cutter.Again(attributes)
	}
	w.cursor.SetStamp(stampOf(w, p, c))
	return w.cursor.Want(attributes, p.Flags().NoRecordedValue())
}
