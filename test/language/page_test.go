package language

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func places(findings []Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprint(f.Line, " ", f.Word))
	}
	return out
}

func TestMarkdown(t *testing.T) {
	assert.Equal(t, []string{"1 whoever", "4 tells whether", "14 is told"}, places(Markdown("p.md", `# Whoever
A page with `+"`is told`"+` and [a link](whoever.md).

It tells
whether.

`+"```sh"+`
echo is told
`+"```"+`

   ~~~
   is told
   ~~~
The client is told.
`)))
}

// A list that a test writes is left out; the text around it is not.
func TestWrittenList(t *testing.T) {
	page := "It is told\n<!-- Written by go test -->\n- `a`: is told\n<!-- End of the written list -->\nIt is told\n"
	assert.Equal(t, []string{"1 is told", "5 is told"}, places(Markdown("p.md", page)))
}

func TestLongCells(t *testing.T) {
	cell := strings.TrimSpace(strings.Repeat("word ", maxCellWords))
	page := "| a | b |\n|---|---|\n| one | " + cell + " |\n| two | `code of many words` " + cell + " |\n| a \\| b | " + cell + " more |\n" +
		"| - / - | " + cell + " - |\n\nA sentence | " + cell + " more\n"
	assert.Equal(t, []string{"4 long cell", "5 long cell"}, places(Markdown("p.md", page)))
}

func TestYAML(t *testing.T) {
	assert.Equal(t, []string{"1 is told", "3 tells whether", "6 whoever", "7 what else"}, places(YAML("p.yaml", `# It is told
key: is told
    # It tells
    # whether.
metric:
  description: whoever
limit: 5 # what else
url: http://a/#whoever
run: `+"`a` # `is told`\n")))
}
