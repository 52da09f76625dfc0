package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// cluster notes changes of the state of a cluster.
func (c *changes) cluster(at time.Time, id string, state string) {
	if was, known := c.clusters[id]; known && was != state {
		c.add(at, "%s: its cluster is %s, was %s", id, state, was)
	} else if !known && state != "joined" {
		c.add(at, "%s: its cluster is %s", id, state)
	}
	c.clusters[id] = state
}

// textClusters writes what several gateways count together, beside the gateway's own count.
func (r *Report) textClusters(b *strings.Builder) {
	var rows []string
	for i := range r.Components {
		l := r.Components[i].Limiter
		if l == nil || l.Cluster == nil {
			continue
		}
		c := l.Cluster
		rows = append(rows, fmt.Sprintf("%s: %s, %s gateways; of series new here %s admitted, %s known to others, %s refused, %s admitted while alone; %s lost their place; %s failed exchanges; the store lost writes %s times",
			r.Components[i].Component, c.State, number(int64(c.Gateways)), number(c.Admitted), number(c.Members),
			number(c.Refused), number(c.Alone), number(c.LostPlaces), number(c.Failures), number(c.Losses)))
		for k := range c.Limits {
			rows = append(rows, fmt.Sprintf("limit %s: %s places in use in all gateways, %s in this one", c.Limits[k].Name,
				number(c.Limits[k].Series), number(placesHere(l, c.Limits[k].Name))))
		}
	}
	if len(rows) > 0 {
		fmt.Fprintf(b, "\nShared limits\n  %s\n", strings.Join(rows, "\n  "))
	}
}

// placesHere returns the places that a limit has in use in this gateway.
func placesHere(l *gatewaystate.Limiter, name string) int64 {
	for i := range l.Limits {
		if l.Limits[i].Name == name {
			return l.Limits[i].Series
		}
	}
	return 0
}
