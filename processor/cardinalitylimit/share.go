package cardinalitylimit

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/rank"
)

// askCluster asks the cluster which of the strangers may have places. It asks about one limit at a time, because a later limit
// does not decide on a point that an earlier one folds.
func (w *walker) askCluster(strangers []rank.Stranger) {
	w.asking = append(w.asking[:0], strangers...)
	for len(w.asking) > 0 {
		waiting := w.asking[:0]
		for _, s := range w.asking {
			w.at = w.met[s.Metric]
			w.cursor.Return(w.at.saved)
			if wants(w, int(s.Point)) {
				waiting = append(waiting, s)
			}
		}
		w.asking = waiting
		if !w.cursor.Ask() {
			return
		}
	}
}

// wants reports whether a point of the metric at hand needs an answer of the cluster.
func wants(w *walker, i int) bool {
	switch m := w.at.metric; m.Type() {
	case pmetric.MetricTypeGauge:
		return wantsPlace(w, m.Gauge().DataPoints().At(i), &numbers)
	case pmetric.MetricTypeSum:
		return wantsPlace(w, m.Sum().DataPoints().At(i), &numbers)
	case pmetric.MetricTypeHistogram:
		return wantsPlace(w, m.Histogram().DataPoints().At(i), &histograms)
	case pmetric.MetricTypeExponentialHistogram:
		return wantsPlace(w, m.ExponentialHistogram().DataPoints().At(i), &exponentials)
	default:
		return wantsPlace(w, m.Summary().DataPoints().At(i), &summaries)
	}
}

func wantsPlace[P datapoint](w *walker, p P, c *codec[P]) bool {
	attributes := p.Attributes()
	if w.bounds.Copy {
		attributes, _ = w.bounds.Again(attributes)
	}
	w.cursor.Stamp(stampOf(w, p, c))
	return w.cursor.Want(attributes, p.Flags().NoRecordedValue())
}
