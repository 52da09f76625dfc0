package cardinalitylimit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/internal/streamid"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/cluster"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
)

// ClusterConfig configures the store in which gateways keep the places that they share.
type ClusterConfig struct {
	Redis RedisConfig `mapstructure:"redis"`
	// Prefix is the beginning of all names in the store. Gateways with the same prefix and secret share their places.
	Prefix string `mapstructure:"prefix"`
	// Secret prevents senders from constructing series with equal identities.
	Secret configopaque.String `mapstructure:"secret"`
	// Timeout is the maximum time that a batch with new series waits for the store.
	Timeout time.Duration `mapstructure:"timeout"`
	// Refresh is the time between two fetches of the members of a full key, and between two heartbeats.
	Refresh time.Duration `mapstructure:"refresh"`
	// MinGateways replaces the number of announced gateways if that is smaller.
	MinGateways int `mapstructure:"min_gateways"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// RedisConfig contains the address and the credentials of a Valkey or Redis.
type RedisConfig struct {
	// Endpoints contains one server, some nodes of a cluster, or sentinels.
	Endpoints []string `mapstructure:"endpoints"`
	// MasterName is the name of the server at the sentinels. It is empty without sentinels.
	MasterName string                                          `mapstructure:"master_name"`
	Username   string                                          `mapstructure:"username"`
	Password   configopaque.String                             `mapstructure:"password"`
	Database   int                                             `mapstructure:"database"`
	TLS        configoptional.Optional[configtls.ClientConfig] `mapstructure:"tls"`
	// prevent unkeyed literal initialization
	_ struct{}
}

var _ confmap.Unmarshaler = (*ClusterConfig)(nil)

// Unmarshal sets the defaults.
func (c *ClusterConfig) Unmarshal(conf *confmap.Conf) error {
	*c = ClusterConfig{Prefix: "cardinalitylimit", Timeout: 50 * time.Millisecond, Refresh: 10 * time.Second, MinGateways: 1}
	dropNulls(conf)
	return conf.Unmarshal(c)
}

const (
	minClusterTimeout = time.Millisecond
	maxClusterTimeout = 10 * time.Second
	minRefresh        = 100 * time.Millisecond
	maxGateways       = 100_000
	maxDatabase       = 1 << 20
)

// prefixes are valid prefixes. They have no braces, which have a meaning in names of the store, and no characters that need
// quoting.
var prefixes = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

func (c *ClusterConfig) check(e *check.Errors) {
	redis := e.At("redis")
	redis.That(len(c.Redis.Endpoints) > 0, "endpoints", "at least one host:port", len(c.Redis.Endpoints))
	for i, endpoint := range c.Redis.Endpoints {
		host, port, err := net.SplitHostPort(endpoint)
		n, _ := strconv.ParseUint(port, 10, 16)
		redis.That(err == nil && host != "" && n > 0, check.Item("endpoints", i), "host:port", endpoint)
	}
	check.Range(redis, "database", c.Redis.Database, 0, maxDatabase)
	redis.That(c.Redis.Username == "" || c.Redis.Password != "", "password", "set where username is", "")
	e.That(prefixes.MatchString(c.Prefix), "prefix", "1 to 64 letters, digits and _.:/-", c.Prefix)
	check.Range(e, "timeout", c.Timeout, minClusterTimeout, maxClusterTimeout)
	check.AtLeast(e, "refresh", c.Refresh, minRefresh)
	check.Range(e, "min_gateways", c.MinGateways, 1, maxGateways)
}

// seed returns the seed of the identities, which is the same in all gateways.
func (c *ClusterConfig) seed() uint64 {
	mac := hmac.New(sha256.New, []byte(c.Secret))
	mac.Write([]byte("places " + c.Prefix))
	return binary.BigEndian.Uint64(mac.Sum(nil))
}

// joinCluster makes this gateway's part of the cluster and tries to connect to the store.
func (p *limiter) joinCluster(ctx context.Context, memory *budget.Budget, o *limit.Options) (*cluster.Gateway, error) {
	c := p.cfg.Cluster
	store := cluster.StoreOptions{
		Endpoints: slices.Clone(c.Redis.Endpoints), MasterName: c.Redis.MasterName, Username: c.Redis.Username,
		Password: string(c.Redis.Password), Database: c.Redis.Database, ClientName: "otelcol-" + clientName(p.instance),
	}
	if c.Redis.TLS.HasValue() {
		var err error
		if store.TLS, err = c.Redis.TLS.Get().LoadTLSConfig(ctx); err != nil {
			return nil, fmt.Errorf("cluster::redis::tls: %w", err)
		}
	}
	hash := streamid.New(o.Seed)
	names, identities := limit.Identities(p.compiled.limits, o)
	limits := make([]cluster.Limit, len(names))
	for i := range names {
		limits[i] = cluster.Limit{Name: names[i], Identity: hash.String(identities[i])}
	}
	g := cluster.New(cluster.Options{
		Store: store, Prefix: c.Prefix, Limits: limits,
		Name:          fmt.Sprintf("%s/%s/%08x", p.instance, p.name, p.factory.random(1<<32)), // hosts may share a name
		Configuration: fmt.Sprintf("%016x", hash.String(p.cfg.maxima())),
		Length:        o.GenerationLength(), Generations: o.Tracker.Generations,
		Timeout: c.Timeout, Refresh: c.Refresh, MinGateways: c.MinGateways,
		Budget: memory, Log: p.settings.Logger, Now: p.factory.now,
	})
	g.Join()
	return g, nil
}

// clientName replaces the characters that the store does not accept in the name of a connection.
func clientName(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c <= ' ' || c > '~' {
			b[i] = '_'
		}
	}
	return string(b)
}

// maxima returns a text of all maxima. It differs between two configurations in which a key may have different numbers of
// places.
func (c *Config) maxima() string {
	text := ""
	for _, l := range c.limits() {
		text += fmt.Sprintf("| %q %d %d", l.Name, l.MaxSeries, l.MaxValues)
		for i := range l.Overrides {
			o := &l.Overrides[i]
			text += fmt.Sprintf(" %v %d %d", o.Match, o.MaxSeries, o.MaxValues)
		}
	}
	return text
}
