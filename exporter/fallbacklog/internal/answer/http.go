package answer

import (
	"net/http"
	"strconv"
	"time"
)

// remoteWriteHeader is on every request of Prometheus remote write (specification 1.0 and 2.0, "Protocol").
const remoteWriteHeader = "X-Prometheus-Remote-Write-Version"

// maxRetryAfter bounds the time that a header may ask for. No timer needs more than a year.
const maxRetryAfter = 365 * 24 * time.Hour

// RoundTripper notes the answers of Next.
type RoundTripper struct {
	Next http.RoundTripper
	Now  func() time.Time
}

var _ http.RoundTripper = RoundTripper{}

// RoundTrip calls Next and notes its answer.
func (t RoundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.Next.RoundTrip(req)
	n := noteFrom(req.Context())
	if n == nil {
		return resp, err
	}
	remoteWrite := req.Header.Get(remoteWriteHeader) != ""
	switch {
	case err != nil:
		n.refused(Refusal{Err: err, RemoteWrite: remoteWrite})
	case resp.StatusCode/100 == 2:
		n.accepted(remoteWrite)
		if !remoteWrite {
			notePartialSuccess(n, resp)
		}
	default:
		n.refused(Refusal{HTTP: resp.StatusCode, RetryAfter: retryAfter(resp.Header, t.Now), RemoteWrite: remoteWrite})
	}
	return resp, err
}

// retryAfter parses Retry-After: seconds, or a date of the downstream's clock (RFC 9110, section 10.2.3). If the answer has a
// Date, the two are compared, so the clocks need not agree.
func retryAfter(h http.Header, now func() time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(0, seconds), int64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	since, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		since = now()
	}
	return min(max(0, at.Sub(since)), maxRetryAfter)
}
