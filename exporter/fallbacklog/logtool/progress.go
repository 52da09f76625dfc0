package logtool

// Progress receives the progress of long work, in bytes. It is called in the goroutine of the call that it was passed to.
type Progress func(done, total int64)

// meter adds up the progress.
type meter struct {
	progress    Progress
	done, total int64
}

func (m *meter) add(n int64) {
	m.done += n
	if m.progress != nil {
		m.progress(m.done, max(m.done, m.total))
	}
}
