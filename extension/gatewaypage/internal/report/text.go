package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Text writes the report as plain text, for a terminal or a ticket.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	r.textHead(&b)
	r.textRoutes(&b)
	r.textLedger(&b)
	r.textLogs(&b)
	r.textLimits(&b)
	r.textClusters(&b)
	r.textOffenders(&b)
	r.textChanges(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) textHead(b *strings.Builder) {
	signs := map[Level]string{LevelOK: "OK", LevelBusy: "ATTENTION", LevelBad: "LOSS"}
	sign := signs[r.Verdict.Level]
	if r.Verdict.Level == LevelBad && !r.Verdict.LosingNow {
		sign = "REFUSES"
	}
	fmt.Fprintf(b, "%s  %s\n", sign, r.Verdict.Text)
	if !r.Verdict.Ready {
		fmt.Fprintf(b, "NOT READY  %s\n", r.Verdict.Why)
	}
	for _, u := range r.Verdict.Unknown {
		fmt.Fprintf(b, "NOT KNOWN  %s\n", u)
	}
	fmt.Fprintf(b, "\n%s, version %s, at %s\nhistory begins at %s", r.Instance.Name, r.Instance.Version,
		r.At.UTC().Format("2006-01-02 15:04:05 UTC"), r.Instance.HistoryBegins.UTC().Format("2006-01-02 15:04:05 UTC"))
	if r.Instance.Reloaded {
		fmt.Fprintf(b, ", as the configuration was loaded then; the process runs since %s", r.Instance.Started.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	b.WriteString("\n")
}

// table writes rows of tab-separated cells under a title, nothing without rows.
func table(b *strings.Builder, title, head string, rows []string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  "+head)
	for _, row := range rows {
		fmt.Fprintln(t, "  "+row)
	}
	_ = t.Flush() // a Builder does not fail
}

func (r *Report) textRoutes(b *strings.Builder) {
	var rows []string
	for i := range r.Routes {
		n := &r.Routes[i]
		cell := func(t *Total) string {
			if t == nil {
				return "?"
			}
			return fmt.Sprintf("%s (%s)", number(t.Items), rate(t.PerSecond))
		}
		residual := "?"
		if n.Residual != nil {
			residual = number(*n.Residual)
		}
		rows = append(rows, strings.Join([]string{
			n.Signal, n.Exporter, cell(n.In), cell(n.Removed), cell(&n.Sent), number(n.Waiting.Items), number(n.Aside.Items),
			number(n.Returned.Items), number(n.Lost.Items), residual,
		}, "\t"))
	}
	table(b, "Is data being lost? Items since the start", "signal\texporter\tin\tremoved on purpose\tsent\twaiting\tdead letter\treturned\tlost\tresidual", rows)
}

func (r *Report) textLedger(b *strings.Builder) {
	var rows []string
	for i := range r.Lines {
		if l := &r.Lines[i]; l.Items != 0 {
			rows = append(rows, strings.Join([]string{
				l.Component, l.What, string(l.Kind), number(l.Items), rate(l.PerSecond), number(l.LastMinute),
			}, "\t"))
		}
	}
	table(b, "Ledger by component", "component\twhat\tkind\titems\trate\tlast minute", rows)
}

func (r *Report) textLogs(b *strings.Builder) {
	var rows []string
	for i := range r.Components {
		c := &r.Components[i]
		if c.Log == nil {
			continue
		}
		oldest, dead := 0.0, int64(0)
		for k := range c.Log.Signals {
			oldest, dead = max(oldest, c.Log.Signals[k].OldestSeconds), dead+c.Log.Signals[k].DeadLetterBytes
		}
		rows = append(rows, strings.Join([]string{
			c.Component, c.Log.Breaker, Bytes(unread(c.Log)), Bytes(c.Log.CapacityBytes), Seconds(oldest),
			optional(c.Log.SecondsToFull), optional(c.Log.SecondsToDrained), Bytes(dead),
		}, "\t"))
		if c.Log.LastError != "" {
			rows = append(rows, "last error: "+c.Log.LastError)
		}
	}
	table(b, "Local log", "exporter\tbreaker\twaiting\tcapacity\toldest\tfull in\tdrained in\tdead letter", rows)
}

func optional(s *float64) string {
	if s == nil {
		return "-"
	}
	return Seconds(*s)
}

func (r *Report) textLimits(b *strings.Builder) {
	var rows []string
	for i := range r.Components {
		l := r.Components[i].Limiter
		if l == nil {
			continue
		}
		for k := range l.Limits {
			limit := &l.Limits[k]
			action := limit.Action
			if limit.DryRun {
				action += ", dry run"
			}
			rows = append(rows, strings.Join([]string{
				limit.Name, action, number(limit.Series), number(limit.Keys), number(limit.Max),
				fmt.Sprintf("%.0f %%", 100*limit.FullestShare), number(limit.Refused), limit.Fullest,
			}, "\t"))
		}
	}
	table(b, "Limits", "limit\taction\tplaces in use\tkeys\tplaces of a key\tfullest\twithout a place\tfullest key", rows)
}

func (r *Report) textOffenders(b *strings.Builder) {
	if len(r.Offenders)+len(r.Keys) == 0 {
		return
	}
	b.WriteString("\nOver a limit\n")
	all := slices.Concat(r.Keys, r.Offenders)
	for i := range all {
		o := &all[i]
		name := subject(o.Metric, o.Key)
		if o.Metric != "" {
			name = o.Metric + "  " + o.Key
		}
		action := o.Action
		if o.DryRun {
			action += ", dry run,"
		}
		fmt.Fprintf(b, "  %s\n    %s %s wanted, %s admitted, limit %s allows %s; %s since %s\n", name,
			number(o.Wanted), o.Counts, number(o.Admitted), o.Limit, number(o.Max), action, o.Since.UTC().Format("15:04:05 UTC"))
		for k := range o.Labels {
			l := &o.Labels[k]
			fmt.Fprintf(b, "    label %s: %s values", l.Name, number(l.Values))
			if len(l.Examples) > 0 {
				fmt.Fprintf(b, ", such as %s", strings.Join(l.Examples, " | "))
			}
			b.WriteString("\n")
		}
		for k := range o.WhatIf {
			f := &o.WhatIf[k]
			partial := ""
			if f.Partial {
				partial = " (not a whole window yet)"
			}
			fmt.Fprintf(b, "    without %s: %s series%s\n", f.Label, number(f.Series), partial)
		}
		if len(o.WhatIf) > 0 && o.WhatIf[0].Remedy != "" {
			b.WriteString("    to paste:\n")
			for line := range strings.Lines(o.WhatIf[0].Remedy) {
				b.WriteString("      " + strings.TrimRight(line, "\n") + "\n")
			}
		}
	}
	if r.LeftOff > 0 {
		fmt.Fprintf(b, "  and %d more\n", r.LeftOff)
	}
	fmt.Fprintf(b, "  saved: %s series (%s)\n", number(r.Saved.Series), r.Saved.Formula)
}

// textChangesMax is how many changes the text has.
const textChangesMax = 15

func (r *Report) textChanges(b *strings.Builder) {
	b.WriteString("\nWhat changed\n")
	for i, c := range r.Changes {
		if i == textChangesMax {
			fmt.Fprintf(b, "  and %d earlier\n", len(r.Changes)-i)
			return
		}
		fmt.Fprintf(b, "  %s  %s\n", c.At.UTC().Format("2006-01-02 15:04:05"), c.Text)
	}
}
