package segment

// writersLog is the log as the writer sees it.
type writersLog Log

var _ logForWriter = (*writersLog)(nil)

func (w *writersLog) log() *Log { return (*Log)(w) }

func (w *writersLog) number() uint64 { return w.segments.number() }

func (w *writersLog) add(f *file) { w.segments.add(f) }

func (w *writersLog) sealed(f *file, allDone, keep bool) {
	if !keep {
		w.shrinker.unlist(f)
		w.opt.report(w.dir.remove(f.String()))
		return
	}
	if allDone {
		w.shrinker.progressed(0, true)
	}
}

func (w *writersLog) restore() error { return w.log().restore() }

func (w *writersLog) appended(someDone bool) {
	if someDone {
		w.shrinker.progressed(0, false)
	}
	w.log().signal()
}
