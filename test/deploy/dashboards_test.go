package deploy

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dashboard is what the tests look at in a dashboard of Grafana.
type dashboard struct {
	UID    string `json:"uid"`
	Title  string `json:"title"`
	Panels []struct {
		ID          int                            `json:"id"`
		Type        string                         `json:"type"`
		Title       string                         `json:"title"`
		Description string                         `json:"description"`
		Datasource  struct{ Type, UID string }     `json:"datasource"`
		GridPos     struct{ X, Y, W, H int }       `json:"gridPos"`
		Targets     []struct{ RefID, Expr string } `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct{ Name string } `json:"list"`
	} `json:"templating"`
}

// TestDashboards: a panel has a title, a description and queries, asks the chosen data source, and covers no other panel.
// TestObserved in test/e2e runs the queries.
func TestDashboards(t *testing.T) {
	files, err := filepath.Glob(fromRoot("deploy", "grafana", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var d dashboard
			require.NoError(t, json.Unmarshal([]byte(read(t, file)), &d))
			assert.Equal(t, "otelcol-custom-"+filepath.Base(file), d.UID+".json")
			require.Len(t, d.Templating.List, 2)
			ids, cells := map[int]bool{}, map[[2]int]string{}
			for _, p := range d.Panels {
				assert.False(t, ids[p.ID], "id %d is used twice", p.ID)
				ids[p.ID] = true
				assert.NotEmpty(t, p.Title)
				for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
					require.Less(t, x, 24, p.Title)
					for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
						assert.Empty(t, cells[[2]int{x, y}], "%s covers it", p.Title)
						cells[[2]int{x, y}] = p.Title
					}
				}
				if p.Type == "row" {
					continue
				}
				assert.NotEmpty(t, p.Description, p.Title)
				assert.Equal(t, "prometheus", p.Datasource.Type, p.Title)
				assert.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
				assert.NotEmpty(t, p.Targets, p.Title)
				for _, target := range p.Targets {
					assert.Contains(t, target.Expr, `instance=~"$instance"`, p.Title)
				}
			}
		})
	}
}
