package language

import (
	"regexp"
	"strings"
)

var (
	fence      = regexp.MustCompile("^\\s*(?:```|~~~)")
	codeSpan   = regexp.MustCompile("``[^`]*``|`[^`\n]*`")
	linkTarget = regexp.MustCompile(`\]\([^)\n]*\)`)
	// tableRule is the line below the header of a table.
	tableRule = regexp.MustCompile(`^\|?[\s|:-]+$`)
	cellEnd   = regexp.MustCompile(`(?:^|[^\\])\|`)
	prose     = regexp.MustCompile(`[\pL\pN]`)
	// A list that a test writes stands between these lines. Its words are checked in the file that it is written from.
	writtenBegin = regexp.MustCompile(`^<!-- Written by `)
	writtenEnd   = regexp.MustCompile(`^<!-- End of the written list -->`)
)

// Markdown returns the findings in a page, outside code blocks, code spans, the targets of links and written lists.
func Markdown(path, content string) []Finding {
	var out []Finding
	lines := strings.Split(content, "\n")
	inCode, isWritten := false, false
	for i, line := range lines {
		switch {
		case fence.MatchString(line):
			inCode = !inCode
			lines[i] = ""
			continue
		case writtenBegin.MatchString(line):
			isWritten = true
		case writtenEnd.MatchString(line):
			isWritten = false
		}
		if inCode || isWritten {
			lines[i] = ""
			continue
		}
		lines[i] = linkTarget.ReplaceAllString(codeSpan.ReplaceAllString(line, "_"), "]")
		out = append(out, longCells(path, i+1, lines[i])...)
	}
	return append(out, passage{1, strings.Join(lines, "\n")}.findings(path)...)
}

// longCells finds the cells with too many words in a row of a table. A code span counts as one word.
func longCells(path string, number int, row string) []Finding {
	row = strings.TrimSpace(row)
	if !strings.HasPrefix(row, "|") || tableRule.MatchString(row) {
		return nil
	}
	var out []Finding
	for _, cell := range cellEnd.Split(row, -1) {
		words := 0
		for _, field := range strings.Fields(cell) {
			if prose.MatchString(field) || strings.Contains(field, "_") {
				words++
			}
		}
		if words > maxCellWords {
			out = append(out, Finding{Path: path, Line: number, Word: LongCell, Better: betterCell})
		}
	}
	return out
}

var (
	yamlComment     = regexp.MustCompile(`^(?:.*[\s])?#\s?(.*)$`)
	yamlDescription = regexp.MustCompile(`^\s*(?:-\s+)?(?:description|brief|note):\s+(.*)$`)
)

// YAML returns the findings in the comments and the descriptions of a file. Comments on consecutive lines are one passage.
func YAML(path, content string) []Finding {
	var lines []string
	for line := range strings.SplitSeq(content, "\n") {
		text := ""
		if m := yamlComment.FindStringSubmatch(line); m != nil {
			text = m[1]
		} else if m := yamlDescription.FindStringSubmatch(line); m != nil {
			text = m[1]
		}
		lines = append(lines, codeSpan.ReplaceAllString(text, "_"))
	}
	return passage{1, strings.Join(lines, "\n")}.findings(path)
}
