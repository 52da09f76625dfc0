// Package segment is a durable log of opaque records in one directory.
//
// Records are appended to numbered segment files, and read back oldest first or newest first. Records become done in any order.
// A cursor file says which records are done: all before a position, and ranges after it. A segment whose records are all done
// is deleted, but only after the cursor is durable. Open reserves the space of the cursor file, so the log can also shrink on a
// full disk.
//
// A crash may leave a torn tail, which Open cuts. Damage in the middle is copied to the quarantine and counted, and reading
// resumes at the next whole record. A Format finds where a record begins and ends. The package does not import the Collector.
//
// Each file contains one type with its methods:
//
//	log.go         Log: the log and its parts
//	options.go     Options: what a user of the package sets
//	recovery.go    recovery: finds what is in the directory when a log is opened
//	list.go        list: the segments
//	file.go        file: one segment, its size, and its done ranges
//	ranges.go      byteRanges: a set of bytes
//	writer.go      writer: the active segment, group commit
//	writerslog.go  writersLog: the log as the writer sees it
//	reader.go      reader: chooses and reads segments
//	scanner.go     scanner: the records of one segment
//	quarantine.go  quarantine: copies of damaged bytes
//	shrinker.go    shrinker: saves the cursor, and then deletes segments
//	queue.go       queue: hands tasks to a goroutine, so that a disk that hangs blocks no caller
//	maintainer.go  maintainer: the shrinker's goroutine
//	cursor.go      cursor: which records are done
//	cursorfile.go  cursorFile: the cursor on disk
//	slot.go        slot: the bytes of a cursor on disk
//	dir.go         dir: the directory
//	name.go        name: a segment's file name
//	budget.go      Budget: the space that logs share
//	dropper.go     Dropper: drops segments to make room in logs that share a budget
//	view.go        View: a log read without owning it
//	fs.go, osfs*   FS: the file system, and the operating system's
//
// Only Log and the shrinker know the list of segments. The writer and the reader know a file, never each other. Each type has
// at most one lock, guards its own fields with it, and calls no other type while it is locked. Budget and cursorFile are
// exceptions: their comments name the calls.
//
// The package has more than 2,000 lines, because writing, reading, shrinking and dropping share the state of a segment, whose
// locks and order of operations are the durability guarantee.
package segment
