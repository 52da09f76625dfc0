package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// If the store's answers have another form than the scripts' replies, strangers get their share of the places.
func TestStoresThatAnswerGarbage(t *testing.T) {
	for name, polite := range map[string]func(address string) func(string) []byte{
		"server": func(string) func(string) []byte { return polite }, "node": asNode,
	} {
		t.Run(name, func(t *testing.T) { testGarbage(t, polite) })
	}
}

func testGarbage(t *testing.T, polite func(address string) func(string) []byte) {
	for name, garbage := range map[string]string{
		"a number": ":1\r\n", "a text": "+OK\r\n", "null": "$-1\r\n", "an empty array": "*0\r\n", "a null array": "*-1\r\n",
		"an error": "-ERR no\r\n", "out of memory": "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
		"a replica": "-READONLY You can't write against a read only replica.\r\n", "loading": "-LOADING Redis is loading\r\n",
		"moved": "-MOVED 1 127.0.0.1:1\r\n", "cluster down": "-CLUSTERDOWN Hash slot not served\r\n",
		"no script": "-NOSCRIPT No matching script.\r\n", "wrong type": "-WRONGTYPE Operation against a key\r\n",
		"seven nothings":   "*7\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n",
		"too few codes":    "*7\r\n$1\r\nm\r\n:1\r\n:1\r\n:1\r\n:1\r\n:0\r\n*0\r\n",
		"unknown codes":    "*7\r\n$10\r\n??????????\r\n:1\r\n:1\r\n:1\r\n:1\r\n:0\r\n*0\r\n",
		"negative":         "*7\r\n$10\r\naaaaaaaaaa\r\n:-5\r\n:-1\r\n:-1\r\n:-1\r\n:0\r\n*0\r\n",
		"large":            "*7\r\n$10\r\naaaaaaaaaa\r\n:9223372036854775807\r\n:9223372036854775807\r\n:9223372036854775807\r\n:1\r\n:1\r\n*1\r\n$1\r\nx\r\n",
		"not the protocol": "HTTP/1.1 400 Bad Request\r\n\r\n", "binary": "\x00\xff\x00\xff",
		"no password": "-NOAUTH Authentication required.\r\n", "no right": "-NOPERM no permissions\r\n",
		"busy": "-BUSY Redis is busy running a script\r\n", "no primary": "-MASTERDOWN Link with MASTER is down\r\n",
		"no replicas": "-NOREPLICAS Not enough good replicas to write.\r\n", "try again": "-TRYAGAIN Multiple keys request\r\n",
		"ask": "-ASK 1 127.0.0.1:1\r\n", "moved nowhere": "-MOVED\r\n", "ask nobody": "-ASK 1\r\n", "moved to no address": "-MOVED 1 x\r\n",
		"a text of negative length": "$-7\r\n", "an array of negative length": "*-7\r\n", "a map of negative length": "%-1\r\n",
		"a text without end": "$9223372036854775807\r\n", "an array without end": "*9223372036854775807\r\n", "a large array": "*100000000\r\n",
		"a large map": "%100000000\r\n", "a length that is none": "$x\r\n", "no carriage return": ":15\n", "nested without end": strings.Repeat("*1\r\n", 10_000),
		"a line without end": "+" + strings.Repeat("x", 9<<20), "a push": ">2\r\n+message\r\n+x\r\n", "an attribute": "|1\r\n+a\r\n+b\r\n:1\r\n",
		"twice": "+OK\r\n+OK\r\n", "twice later": ":1\r\n:1\r\n:1\r\n:1\r\n", "a banner": "220 mail ESMTP\r\n",
		"half, then nothing": "*7\r\n$10\r\naaaaa", "half, then closed": "*7\r\n$10\r\naaaaa" + hangUp, "closed": hangUp, "closed after an answer": "+OK\r\n" + hangUp,
	} {
		t.Run(name, func(t *testing.T) {
			beat := "*4\r\n:1\r\n:1\r\n:1700000000000\r\n:1\r\n"
			var mu sync.Mutex
			evals := 0
			i := startImpostorAt(t, func(address string) func(string) []byte {
				polite := polite(address)
				return func(command string) []byte {
					if !strings.HasPrefix(command, "EVAL") {
						return polite(command)
					}
					mu.Lock()
					defer mu.Unlock()
					if evals++; evals == 1 {
						return []byte(beat) // the first heartbeat is fine
					}
					return []byte(garbage)
				}
			})
			m := &member{Gateway: New(i.options()), max: 10, contested: 10, t: t}
			m.series = make(map[uint64]bool)
			m.Join()
			require.Equal(t, Joined, m.State())
			m.Start(&m.tracked)
			for round := range 8 {
				m.ask(series(10*round, 10*round+10)...)
				for s := range m.series {
					m.Renew(Place{0, 7, s}, 10)
				}
			}
			for _, lost := range []uint64{1, 2} {
				m.Lost(Place{0, 7, lost})
			}
			_ = m.Stats()
			require.NoError(t, m.Close(t.Context()))
			if name != "unknown codes" && name != "negative" {
				assert.LessOrEqual(t, len(m.series), 10, name)
			}
		})
	}
}

// If a store accepts connections and never answers, three batches wait for the timeout. The next ones do not wait.
func TestAStoreThatHangs(t *testing.T) {
	for name, answer := range map[string]func(string) []byte{
		"from the start": func(string) []byte { return nil },
		"at scripts": func(command string) []byte {
			if strings.HasPrefix(command, "EVAL") {
				return nil
			}
			return polite(command)
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := startImpostor(t, answer)
			m := &member{Gateway: New(i.options()), max: 100, contested: 100, t: t}
			m.series = make(map[uint64]bool)
			m.Join()
			m.breaker.joined = true
			m.breaker.state.Store(int32(Joined))
			var wg sync.WaitGroup
			slowest := make([]time.Duration, 4)
			m.Start(&m.tracked)
			for g := range slowest {
				wg.Go(func() {
					wants := []Want{{Place: Place{0, uint64(g), 8}, Max: 100, Contested: 100, Stamp: 1}} //nolint:gosec // small
					for range 20 {
						begin := time.Now()
						m.Ask(wants)
						slowest[g] = max(slowest[g], time.Since(begin))
						m.Finish(wants)
					}
				})
			}
			wg.Wait()
			for _, d := range slowest {
				assert.Less(t, d, 5*m.options.Timeout)
			}
			assert.NotEqual(t, Joined, m.State())
			begin := time.Now()
			require.NoError(t, m.Close(t.Context()))
			assert.Less(t, time.Since(begin), 5*time.Second, "the shutdown is bounded")
		})
	}
}

// The shutdown ends soon after its context, even if the store does not answer.
func TestCloseWhileTheStoreHangs(t *testing.T) {
	i := startImpostor(t, func(command string) []byte {
		if strings.HasPrefix(command, "EVAL") {
			return nil
		}
		return polite(command)
	})
	m := &member{Gateway: New(i.options()), max: 100, contested: 100, t: t}
	m.Join()
	m.breaker.state.Store(int32(Joined))
	m.Start(&m.tracked)
	for s := range uint64(5000) {
		m.Renew(Place{0, s % 50, s << 3}, 100)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_ = m.Close(ctx)
	assert.Less(t, time.Since(begin), 3*hangTimeout)
	<-m.done
}

// Neither the log nor an error contains the password or the secret, for any failure.
func TestSecretsStaySecret(t *testing.T) {
	const secret = "correct horse battery staple"
	s := newStand(t)
	s.Do(s.client, "CONFIG", "SET", "requirepass", "another")
	for name, set := range map[string]func(*Options){
		"wrong password": func(o *Options) { o.Store.Password = secret },
		"wrong user":     func(o *Options) { o.Store.Username, o.Store.Password = "nobody", secret },
		"nobody listens": func(o *Options) { o.Store.Password, o.Store.Endpoints = secret, []string{"127.0.0.1:1"} },
		"AUTH is unknown": func(o *Options) {
			i := startImpostor(t, func(command string) []byte {
				if command == "AUTH" {
					return []byte("-ERR unknown command 'AUTH', with args beginning with: '" + secret + "'\r\n")
				}
				return polite(command)
			})
			o.Store.Password, o.Store.Endpoints = secret, []string{i.Addr().String()}
		},
		"not a name at all": func(o *Options) { o.Store.Password, o.Store.Endpoints = secret, []string{"host.invalid:1"} },
	} {
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zapcore.DebugLevel)
			o := s.options("a")
			o.Log = zap.New(core)
			set(&o)
			m := New(o)
			m.Join()
			assert.Equal(t, Solo, m.State())
			require.NoError(t, m.Close(t.Context()))
			require.NotZero(t, logs.Len(), "a change of state is said")
			for _, entry := range logs.All() {
				text := fmt.Sprint(entry.Message, entry.ContextMap())
				assert.NotContains(t, text, "horse")
			}
		})
	}
}

// If the store reaches its memory limit, its members stay and strangers get a share. When it has memory again, it decides as
// before.
func TestAStoreThatIsFull(t *testing.T) {
	s := newStand(t)
	a := s.join("a", func(o *Options) { o.MinGateways = 2 })
	a.ask(series(0, 4)...)
	s.Do(s.client, "CONFIG", "SET", "maxmemory", "1")
	assert.Equal(t, [Alone + 1]int{Alone: 3, Refused: 3, Member: 0}, count(a.ask(series(10, 16)...)), "half of the six places")
	for range maxMisses {
		a.heartbeat(time.Now())
	}
	require.Equal(t, Degraded, a.State())
	s.Do(s.client, "CONFIG", "SET", "maxmemory", "0")
	a.heartbeat(time.Now())
	require.Equal(t, Joined, a.State())
	a.visit(time.Now())
	a.flush(t.Context())
	assert.Equal(t, 7, a.look())
}

func TestEvictionIsSaid(t *testing.T) {
	s := newStand(t)
	core, logs := observer.New(zapcore.WarnLevel)
	a := s.join("a", func(o *Options) { o.Log = zap.New(core) })
	require.Zero(t, logs.Len())
	s.Do(s.client, "CONFIG", "SET", "maxmemory", "1000000000")
	s.Do(s.client, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	a.heartbeat(time.Now())
	a.heartbeat(time.Now())
	require.Equal(t, 1, logs.FilterField(zap.String("policy", "allkeys-lru")).Len(), "once")
}

// The budget bounds the number of keys. Without memory a stranger is refused, and a member keeps its place.
func TestKeysAreBounded(t *testing.T) {
	s := newStand(t)
	a := s.join("a", func(o *Options) { o.Budget = budget.New(1 << 20) })
	wants := make([]Want, 5000)
	granted := 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for round := range 40 {
		for i := range wants {
			wants[i] = Want{Place: Place{0, mixed(uint64(round*len(wants) + i)), 8}, Max: 10, Contested: 10, Stamp: 1, Entered: true} //nolint:gosec // small
		}
		a.Ask(wants)
		for i := range wants {
			if wants[i].Answer != Refused {
				granted++
			}
		}
		a.Finish(wants)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Equal(t, (1<<20)/keyBytes, granted)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(6<<20))
	assert.True(t, a.Renew(Place{0, 1, 8}, 10))
}

// Several gateways work at once while the store stops and starts again. The test is for the race detector.
func TestSoakManyGoroutines(t *testing.T) {
	s := newStand(t)
	var all []*member
	for i := range 3 {
		m := s.join(fmt.Sprint(i), func(o *Options) { o.Timeout, o.Refresh = 20*time.Millisecond, 20*time.Millisecond })
		m.Start(&m.tracked)
		all = append(all, m)
	}
	var wg sync.WaitGroup
	var batches atomic.Int64
	stop := make(chan struct{})
	for _, m := range all {
		for g := range 3 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(g), 1)) //nolint:gosec // small
				for {
					select {
					case <-stop:
						return
					default:
					}
					wants := make([]Want, 20)
					for i := range wants {
						wants[i] = Want{Place: Place{0, r.Uint64N(5), r.Uint64N(40) << 3}, Max: 20, Contested: 16, Stamp: r.Uint32()}
					}
					m.Ask(wants)
					for i := range wants {
						if wants[i].Answer != Refused {
							wants[i].Entered = r.IntN(2) == 0
						}
						if wants[i].Answer == Member && !m.Lost(wants[i].Place) {
							m.Renew(wants[i].Place, 20)
						}
					}
					m.Finish(wants)
					batches.Add(1)
				}
			})
		}
	}
	someBatches := func() {
		until := batches.Load() + 50
		require.Eventually(t, func() bool { return batches.Load() >= until }, time.Minute, time.Millisecond)
	}
	for range 3 {
		someBatches()
		s.Stop()
		someBatches()
		s.Continue()
		someBatches()
		s.Do(s.client, "FLUSHALL")
		s.add(0)
		s.add(length)
	}
	close(stop)
	wg.Wait()
	for _, m := range all {
		require.NoError(t, m.Close(context.WithoutCancel(t.Context())))
		for key := range uint64(5) {
			if k := m.keys[keyID{0, key}]; k != nil {
				assert.LessOrEqual(t, k.members, 40, "twice the limit")
			}
		}
	}
}

// Nodes that send a question around in a circle are given up, long before the time limit.
func TestACircleOfRedirections(t *testing.T) {
	i := startImpostorAt(t, func(address string) func(string) []byte {
		node := asNode(address)
		return func(command string) []byte {
			if strings.HasPrefix(command, "EVAL") {
				return []byte("-MOVED 1 " + address + "\r\n")
			}
			return node(command)
		}
	})
	o := i.options()
	o.Timeout = 10 * time.Second
	m := New(o)
	begin := time.Now()
	m.Join()
	assert.Equal(t, Solo, m.State())
	assert.Less(t, time.Since(begin), o.Timeout/2)
	require.NoError(t, m.Close(t.Context()))
}

// An answer that comes byte by byte is one that is late: the batch does not wait for its end.
func TestAStoreThatDrips(t *testing.T) {
	const beat = "*4\r\n:1\r\n:1\r\n:1700000000000\r\n:1\r\n"
	evals := make(chan struct{}, 1)
	i := startImpostor(t, func(command string) []byte {
		if !strings.HasPrefix(command, "EVAL") {
			return polite(command)
		}
		select {
		case evals <- struct{}{}:
			return []byte(beat)
		default:
			return []byte(drips + "*7\r\n$1\r\na\r\n:1\r\n:1\r\n:1\r\n:1\r\n:0\r\n*0\r\n")
		}
	})
	m := &member{Gateway: New(i.options()), max: 10, contested: 10, t: t}
	m.series = make(map[uint64]bool)
	m.Join()
	require.Equal(t, Joined, m.State())
	for n := range uint64(maxMisses) {
		wants := []Want{{Place: Place{0, n, 8}, Max: 10, Contested: 10, Stamp: 1}}
		m.Ask(wants)
		require.Equal(t, Alone, wants[0].Answer, "the answer to this one is not there yet")
	}
	require.Equal(t, Degraded, m.State())
	require.NoError(t, m.Close(t.Context()))
}
