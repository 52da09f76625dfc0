// Package samples draws observations from known distributions and measures the error of a converted histogram. The
// reference is a histogram of the target's layout that counts the same observations directly. Tests and benchmarks use
// the package, also those of the module in bench/.
package samples
