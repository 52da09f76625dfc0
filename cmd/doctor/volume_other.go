//go:build !linux

package main

import "github.com/otelcol-custom/otelcol-custom/internal/doctor"

// volumeOf is nil: file systems are examined on Linux only.
var volumeOf doctor.Volumes
