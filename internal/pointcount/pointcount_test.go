package pointcount

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestInMetric(t *testing.T) {
	m := pmetric.NewMetric()
	assert.Zero(t, InMetric(m))
	for n, fill := range []func(){
		func() { m.SetEmptyGauge() },
		func() { m.SetEmptySum().DataPoints().AppendEmpty() },
		func() { h := m.SetEmptyHistogram().DataPoints(); h.AppendEmpty(); h.AppendEmpty() },
		func() {
			for e := m.SetEmptyExponentialHistogram().DataPoints(); e.Len() < 3; {
				e.AppendEmpty()
			}
		},
		func() {
			for s := m.SetEmptySummary().DataPoints(); s.Len() < 4; {
				s.AppendEmpty()
			}
		},
	} {
		fill()
		assert.Equal(t, n, InMetric(m), m.Type())
	}
}
