// Package cluster lets several gateways share the places of a limit. The places are kept in a Valkey or Redis, called the
// store.
//
// A gateway asks the store only about strangers, which are series that it does not know. Points, totals and folding stay in
// the gateway. So a failure of the store neither loses a point nor counts one wrongly.
//
//	Ask -----> this gateway's copy of the key ----------> places.lua in the store
//	Renew ---> queue ---> (every second) --------------> places.lua
//	           heartbeat (every refresh) --------------> announce.lua
//
// The scripts are the only writers. Their comments define the protocol.
package cluster
