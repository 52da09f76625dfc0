package main

// The image has no file system with time zones, which OTTL's Time needs. The build tag timetzdata would do the same, but
// it changes package time and so compiles everything anew.
import _ "time/tzdata"
