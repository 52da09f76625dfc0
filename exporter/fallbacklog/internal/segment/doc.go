// Package segment is a durable log of opaque records in one directory.
//
// Records are appended to numbered segment files and read back oldest or newest first. Records are done in any order; a
// cursor file says which are: all before a position, and ranges after it. A segment whose records are done is deleted,
// but only after the cursor is durable. The cursor's space is taken at Open, so that a full disk does not keep the log
// from shrinking.
//
// A crash leaves a torn tail, which Open cuts. Damage in the middle is set aside and counted, and reading resumes at the
// next whole record. The Format finds where a record begins and ends. Nothing here knows of the Collector.
//
// Each file contains one type with its methods:
//
//	log.go       Log: what ties the rest
//	recovery.go  recovery: what is there when a log is opened
//	list.go      list: the segments
//	shrinker.go  shrinker: saves the cursor, and then deletes segments
//	home.go      writersLog: the log as the writer sees it
//	writer.go    writer: the active segment, group commit
//	reader.go    reader: the order, scanning, quarantine
//	file.go      file: one segment, its size, and what of it is done
//	cursor.go    cursorFile: what is done, on disk
//	dir.go       dir: the directory
//	name.go      name: a segment's file name
//	budget.go    Budget: the space that logs share
//	room.go      Room: makes room in them
//	view.go      View: a log as somebody sees it who does not own it
//
// Two further files have no place in that order: options.go is what a user of the package sets, and queue.go, with
// keeper.go, is how the writer and the shrinker work in goroutines of their own, so that a disk that hangs keeps no caller.
//
// Log, and the shrinker for it, know the list. The writer and the reader know a file, never each other. Each type has at
// most one lock, guards its own fields with it, and calls no other type while it is locked; Budget and cursorFile, which
// call out, say so.
package segment
