//go:build !linux

package main

import "github.com/otelcol-custom/otelcol-custom/internal/doctor"

// volumeOf is nil: the doctor examines file systems on Linux only.
var volumeOf doctor.Volumes
