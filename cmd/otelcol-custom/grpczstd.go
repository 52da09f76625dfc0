package main

import "github.com/otelcol-custom/otelcol-custom/internal/grpczstd"

// init bounds the allocation for requests that are compressed with zstd.
func init() { grpczstd.Register() }
