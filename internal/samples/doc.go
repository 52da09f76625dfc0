// Package samples draws observations from known distributions and says how far a
// converted histogram is from one into which the same observations were counted
// directly. It serves tests and benchmarks, also those of the module in bench/.
package samples
