package load

import "time"

// progressEvery is the time between two calls of progress.
const progressEvery = 10 * time.Second

// report calls progress with the present count every [progressEvery], until stop is called. progress may be nil.
func report(progress func(uint64), count func() uint64) (stop func()) {
	if progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				progress(count())
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
