// Package segment is a durable log of opaque records in one directory.
//
// Records are appended to numbered segment files and read back oldest or newest first. Several callers may append at
// once: one of them writes and syncs for all that wait (group commit). Records are done in any order; a cursor file says
// which are: all before a position, and ranges after it. A segment whose records are done is deleted, but only after the
// cursor is durable. Its space is taken at Open, so that a full disk does not keep the log from shrinking.
//
// What a crash leaves behind is read as it is: a torn tail is cut, damage in the middle is set aside and counted, and
// reading resumes at the next whole record. Where a record begins and ends is the Format's business. Nothing here
// knows of the Collector.
//
// Locks are taken in the order leader, readMu, saveMu, mu; see Log.
package segment
