package cluster

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// impostor is a server that answers each command with the result of the function answer, or never if that is nil.
type impostor struct {
	net.Listener
	wg sync.WaitGroup
}

func startImpostor(t *testing.T, answer func(command string) []byte) *impostor {
	return startImpostorAt(t, func(string) func(string) []byte { return answer })
}

// startImpostorAt is startImpostor with answers that depend on the address.
func startImpostorAt(t *testing.T, answers func(address string) func(command string) []byte) *impostor {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return startImpostorOn(t, l, answers)
}

func startImpostorOn(t *testing.T, l net.Listener, answers func(address string) func(command string) []byte) *impostor {
	i := &impostor{Listener: l}
	answer := answers(l.Addr().String())
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); _ = l.Close(); i.wg.Wait() })
	i.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			i.wg.Go(func() { i.serve(conn, answer) })
		}
	})
	return i
}

func (i *impostor) serve(conn net.Conn, answer func(string) []byte) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for {
		command, err := readCommand(r)
		if err != nil {
			return
		}
		out, slowly := bytes.CutPrefix(answer(command), []byte(drips))
		for ; slowly && len(out) > 1; out = out[1:] {
			if _, err := conn.Write(out[:1]); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // it is slow
		}
		out, hangsUp := bytes.CutSuffix(out, []byte(hangUp))
		if _, err := conn.Write(out); err != nil || hangsUp {
			return
		}
	}
}

// hangUp ends an answer after which an impostor closes the connection.
const hangUp = "(and closes)"

// drips begins an answer that an impostor sends byte by byte.
const drips = "(slowly)"

// readCommand reads an array of bulk strings and returns the first of them.
func readCommand(r *bufio.Reader) (string, error) {
	var n, size int
	if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
		return "", err
	}
	name := ""
	for i := range n {
		if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
			return "", err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if i == 0 {
			name = string(b[:size])
		}
	}
	return name, nil
}

// polite answers the first commands of a client, as a server without extensions does.
func polite(command string) []byte {
	switch command {
	case "HELLO":
		return []byte("-ERR unknown command 'HELLO'\r\n")
	case "CLUSTER":
		return []byte("-ERR This instance has cluster support disabled\r\n")
	default:
		return []byte("+OK\r\n")
	}
}

// asNode answers as the only node of a cluster does.
func asNode(address string) func(command string) []byte {
	host, port, _ := net.SplitHostPort(address)
	slots := fmt.Sprintf("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$%d\r\n%s\r\n:%s\r\n", len(host), host, port)
	return func(command string) []byte {
		if command == "CLUSTER" {
			return []byte(slots)
		}
		return polite(command)
	}
}

func (i *impostor) options() Options {
	return Options{
		Store: StoreOptions{Endpoints: []string{i.Addr().String()}}, Prefix: "test", Name: "a", Configuration: "one",
		Limits: []Limit{{"metric", 1}}, Length: length, Generations: 2, Timeout: 50 * time.Millisecond,
		Refresh: 100 * time.Millisecond, MinGateways: 2, Budget: budget.New(1 << 20), Log: zap.NewNop(), Now: time.Now,
	}
}

func splitAddress(t *testing.T, address string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return host, port
}
