// Package gatewaystate is what the gateway's components publish about themselves, and what the gateway page reads.
//
//	component -> Source -> Sources.Snapshot -> page
//	                    -> History             one hour
//
// A component registers a Source with the registries that Find returns. Without a gateway page Find returns none, and
// nothing happens. The page reads the sources at most once per second, however many people look at it.
//
// Names and values of labels come from senders, so no viewer may interpret them. Every text here is at most MaxText
// bytes long.
package gatewaystate
