package load

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
)

// newHTTPExchange returns the exchange of OTLP over HTTP/1.1.
func newHTTPExchange(conn net.Conn, host string) exchange {
	const end = "\r\n\r\n"
	head := "POST /v1/metrics HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/x-protobuf\r\nContent-Length: "
	in := bufio.NewReader(conn)
	var out []byte
	return func(request []byte) (answer, bool) {
		out = strconv.AppendInt(append(out[:0], head...), int64(len(request)), 10)
		out = append(append(out, end...), request...)
		if _, err := conn.Write(out); err != nil {
			return failed, false
		}
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return failed, false
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return failed, false
		}
		if response.StatusCode != http.StatusOK {
			return refused, !response.Close
		}
		return acknowledged, !response.Close
	}
}
