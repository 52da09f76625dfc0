// Package cluster decides together with other gateways who may have a place under a limit. The places are kept in a
// Valkey or Redis, the store.
//
// A gateway asks the store about strangers only: series that it does not know. Points, totals and folding stay in the
// gateway, so the store can fail without a point being lost or counted wrongly.
//
//	Ask -----> what this gateway knows of the key -----> places.lua in the store
//	Renew ---> queue ---> (every second) --------------> places.lua
//	           heartbeat (every refresh) --------------> announce.lua
//
// The scripts are the only writers. Their comments define the protocol.
package cluster
