package logtool

// Progress is told of long work, in bytes. It is called from the goroutine of the call that it was passed to.
type Progress func(done, total int64)

// meter adds up.
type meter struct {
	tell        Progress
	done, total int64
}

func (m *meter) add(n int64) {
	m.done += n
	if m.tell != nil {
		m.tell(m.done, max(m.done, m.total))
	}
}
