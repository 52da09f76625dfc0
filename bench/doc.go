// Package bench compares the components with their peers on the same input in one run. It is a module of its own, so that
// the peers are not dependencies of the distribution.
//
// A benchmark alternates between the contenders, round by round, and reports medians over the rounds. README.md says how to
// run it, and what is equal and what is different between the contenders.
package bench
