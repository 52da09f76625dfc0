package segment

// peekBytes bounds how much damage Peek goes through in search of a record.
const peekBytes = 4 * scanChunk

// Peek hands to visit the first unread record of the oldest segment that has one, and of the newest, until visit fails, and
// returns its error. What cannot be read is for Next to say: it may be read by then. The cost does not depend on the log's
// size. It is for the time before the first Next.
func (l *Log) Peek(visit func(record []byte) error) error {
	l.readMu.Lock()
	defer l.readMu.Unlock()
	l.mu.Lock()
	var ends []*info
	for _, i := range l.segments {
		if i.unread() {
			ends = append(ends[:min(len(ends), 1)], i)
		}
	}
	l.mu.Unlock()
	for _, i := range ends {
		if err := l.peek(i, visit); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) peek(i *info, visit func([]byte) error) error {
	l.mu.Lock()
	from, to := i.read, i.size
	l.mu.Unlock()
	c, err := openContent(l.opt.FS, l.opt.Dir, i)
	if err != nil {
		return nil //nolint:nilerr // see Peek
	}
	s := scanner{format: i.kind.Format, file: c, off: from}
	defer s.close()
	for s.off < from+peekBytes {
		switch f, err := s.next(to); {
		case err != nil, f.kind == atEnd:
			return nil
		case f.kind == aRecord:
			return visit(f.data)
		}
	}
	return nil
}
