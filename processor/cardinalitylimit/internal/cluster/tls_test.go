package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/storetest"
)

// certificate writes a certificate for the loopback interface. It returns its files and the pool that trusts it.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return cert, key, roots
}

// The store may need TLS and a user with a password, and may use a database other than the first.
func TestTLSWithAUser(t *testing.T) {
	cert, key, roots := certificate(t)
	address := storetest.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	s := &stand{Server: storetest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no"), t: t, millis: begin}
	s.client = s.Client()
	// The user has exactly the rights that a gateway needs.
	s.Do(s.client, "ACL", "SETUSER", "gateway", "on", ">pw", "~test:*", "+@connection", "+@scripting", "+@read", "+@write", "+info", "+cluster|slots", "+time")
	join := func(edit func(*StoreOptions)) *Gateway {
		o := s.options("a")
		o.Store = StoreOptions{
			Endpoints: []string{address}, Username: "gateway", Password: "pw", Database: 3,
			TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		}
		if edit != nil {
			edit(&o.Store)
		}
		m := New(o)
		t.Cleanup(func() { m.cancel(); m.store.close() })
		m.Join()
		return m
	}
	m := join(nil)
	require.Equal(t, Joined, m.State())
	wants := []Want{{Place: Place{0, 7, 8}, Max: 10, Contested: 10, Stamp: 1}}
	m.Ask(wants)
	require.Equal(t, Admitted, wants[0].Answer)
	s.Do(s.client, "SELECT", "3")
	require.NotEmpty(t, s.Keys(s.client, "test:*"))

	require.Equal(t, Solo, join(func(o *StoreOptions) { o.TLS = &tls.Config{MinVersion: tls.VersionTLS12} }).State(), "nobody vouches for it")
	require.Equal(t, Solo, join(func(o *StoreOptions) { o.Password = "other" }).State())
	require.Equal(t, Solo, join(func(o *StoreOptions) { o.TLS = nil }).State())
}

// Sentinels are asked over TLS if the store uses it, and without the password of the store.
func TestSentinelsOverTLS(t *testing.T) {
	cert, key, roots := certificate(t)
	address := storetest.FreeAddress(t)
	_, port := splitAddress(t, address)
	storetest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert,
		"--tls-auth-clients", "no", "--requirepass", "secret")
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var asked []string
	sentinel := startImpostorOn(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}),
		func(string) func(string) []byte {
			return func(command string) []byte {
				asked = append(asked, command)
				return fmt.Appendf(nil, "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n", len(port), port)
			}
		})
	s := connectTo(t, StoreOptions{
		Endpoints: []string{sentinel.Addr().String()}, MasterName: "places", Password: "secret",
		TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	})
	require.Equal(t, address, s.topology.Load().all[0].address)
	require.Equal(t, []string{"SENTINEL"}, asked)
}
