package samples

import (
	"math"
	"math/rand/v2"
)

// Distribution is a distribution of positive values. A test that needs a unit uses milliseconds.
type Distribution struct {
	Name string
	draw func(*rand.Rand) float64
}

// Distributions are the six distributions with which conversions are measured.
var Distributions = []Distribution{
	{"uniform", func(r *rand.Rand) float64 { return 1000 * r.Float64() }},               // from 0 to 1000
	{"exponential", func(r *rand.Rand) float64 { return 100 * r.ExpFloat64() }},         // mean 100
	{"lognormal", func(r *rand.Rand) float64 { return 50 * math.Exp(r.NormFloat64()) }}, // median 50, sigma 1
	{"bimodal", bimodal}, // 80 % around 8, 20 % around 900
	{"pareto", func(r *rand.Rand) float64 { return 20 / math.Pow(1-r.Float64(), 1/1.5) }}, // from 20, index 1.5
	{"narrow", func(r *rand.Rand) float64 { return 42 + 0.5*r.NormFloat64() }},            // mean 42, deviation 0.5
}

func bimodal(r *rand.Rand) float64 {
	if r.Float64() < 0.8 {
		return 8 * math.Exp(0.3*r.NormFloat64())
	}
	return 900 * math.Exp(0.25*r.NormFloat64())
}

// Draw returns n observations. The same seed gives the same observations.
func (d Distribution) Draw(n int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	values := make([]float64, n)
	for i := range values {
		values[i] = d.draw(rng)
	}
	return values
}

// Layouts between which conversions are measured.
var (
	// OTel is the SDKs' default, in milliseconds.
	OTel = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}
	// Prometheus is the client libraries' default, in milliseconds. All of its bounds are above zero.
	Prometheus = []float64{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}
	// Misaligned shares no bound with OTel.
	Misaligned = []float64{3, 7, 15, 35, 60, 85, 150, 350, 600, 850, 1500, 3500, 6000, 8500}
)
