package main

// OTTL's Time needs time zones, and the image has no files of them. The build tag timetzdata would have the same effect, but
// it changes package time, so that everything would be compiled again.
import _ "time/tzdata"
