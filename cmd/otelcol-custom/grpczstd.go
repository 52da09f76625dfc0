package main

import "github.com/otelcol-custom/otelcol-custom/internal/grpczstd"

// init bounds what a request compressed with zstd allocates.
func init() { grpczstd.Register() }
