// Package event turns the events and service checks of DogStatsD into log records.
//
// Readers add lines to a [Queue], which is bounded and never waits. A [Sender] parses the lines in a goroutine of its own and
// offers them to the consumer in batches.
//
// https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/ (events, service checks)
package event
