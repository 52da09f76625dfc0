package load

// tally counts how often each datagram of a connection was sent.
type tally struct {
	ring *ring
	sent []uint64 // by datagram
	next int      // index of the next datagram; the ones before it were sent last
	rest datagram // the lines of the next datagram that the quota still allowed; sent once, at the end
}

// addTo adds the sent datagrams to the ledger. Two connections have no series in common, so their counts just add up.
func (t *tally) addTo(l *Ledger, p Profile) {
	seen := make(map[int]struct{})
	last := make(map[int]float64)
	members := make(map[int]map[uint16]struct{})
	totals := make([]MetricTotal, len(p.Types))

	add := func(d datagram, times uint64) {
		if times == 0 || len(d.lines) == 0 {
			return
		}
		l.Datagrams += times
		l.Bytes += times * uint64(len(d.payload))
		l.Lines += times * uint64(len(d.lines))
		for _, line := range d.lines {
			total := &totals[line.metric]
			if _, known := seen[line.series]; !known {
				seen[line.series] = struct{}{}
				total.Series++
			}
			total.Lines += times
			total.Count += float64(times) * line.count
			total.Sum += float64(times) * line.sum
			switch p.Types[line.metric] {
			case "g":
				total.Last += line.last - last[line.series]
				last[line.series] = line.last
			case "s":
				if members[line.series] == nil {
					members[line.series] = make(map[uint16]struct{})
				}
				if _, known := members[line.series][line.member]; !known {
					members[line.series][line.member] = struct{}{}
					total.Unique++
				}
			}
		}
	}
	// Oldest datagrams first, so that last has the values that were sent last.
	for i := range t.ring.datagrams {
		at := (t.next + i) % len(t.ring.datagrams)
		add(t.ring.datagrams[at], t.sent[at])
	}
	add(t.rest, 1)

	for i, kind := range p.Types {
		name := p.Prefix + "." + MetricNames[kind]
		sum := l.Metrics[name]
		sum.Type = kind
		sum.Series += totals[i].Series
		sum.Lines += totals[i].Lines
		sum.Count += totals[i].Count
		sum.Sum += totals[i].Sum
		sum.Last += totals[i].Last
		sum.Unique += totals[i].Unique
		l.Metrics[name] = sum
	}
}
