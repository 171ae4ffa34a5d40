package checklist

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
)

// WriteTable prints a line for each route, and then what looks odd.
func WriteTable(w io.Writer, routes []Route) error {
	out := bufio.NewWriter(w)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PATTERN\tWHO\tWHAT\tWHICH\tLIMITS\tNOTES")
	warnings := 0
	for _, r := range routes {
		fmt.Fprintln(t, strings.Join(append([]string{r.Pattern}, r.columns()...), "\t"))
		warnings += len(r.Warnings())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if warnings > 0 {
		fmt.Fprintln(out, "\nTo look at:")
	}
	for _, r := range routes {
		for _, warning := range r.Warnings() {
			fmt.Fprintf(out, "  %s: %s\n", r.Pattern, warning)
		}
	}
	return out.Flush()
}

// columns are the answers of a route and its notes.
func (r Route) columns() []string {
	if r.Unguarded != "" {
		return []string{"unguarded", "-", "-", "-", r.notes()}
	}
	return []string{r.Who.String(), r.What.String(), r.Which.String(), r.Limits.String(), r.notes()}
}

// WriteText prints a paragraph for each route, with all that a review looks at.
//
// One change of a route is one changed line, which a table or JSON would not give.
func WriteText(w io.Writer, routes []Route) error {
	out := bufio.NewWriter(w)
	for _, r := range routes {
		fmt.Fprintln(out, r.Pattern)
		for _, line := range r.lines() {
			if line[1] != "" {
				fmt.Fprintf(out, "\t%s\t%s\n", line[0], strings.ReplaceAll(line[1], "\n", " "))
			}
		}
	}
	return out.Flush()
}

// lines are what a route says, each with its label.
func (r Route) lines() [][2]string {
	if r.Unguarded != "" {
		lines := [][2]string{{"unguarded", r.Unguarded}}
		for _, warning := range r.Warnings() {
			lines = append(lines, [2]string{"look at", warning})
		}
		return lines
	}
	lines := [][2]string{{"who", r.Who.String()}}
	for _, c := range r.Who.Credentials {
		if c.Kind != "bearer" && c.Kind != "signed" {
			lines = append(lines, [2]string{c.Kind, c.Name})
		}
		lines = append(lines, [2]string{"messages", c.messages()})
	}
	lines = append(lines, [2]string{"origins", strings.Join(r.Who.Origins, " ")},
		[2]string{"what", r.What.String()})
	if len(r.What.MediaTypes) > 0 && (r.What.Kind != "JSON" || len(r.What.MediaTypes) > 1 || r.What.MediaTypes[0] != "application/json") {
		lines = append(lines, [2]string{"media types", strings.Join(r.What.MediaTypes, " ")})
	}
	for _, f := range flat(r.What.Fields) {
		lines = append(lines, [2]string{"field", f.String()})
	}
	lines = append(lines, [2]string{"which", r.Which.String()})
	for _, s := range r.Which.Steps {
		lines = append(lines, [2]string{"resource", s.Resource})
	}
	lines = append(lines, [2]string{"limits", r.Limits.String()}, [2]string{"counted", r.Limits.where()},
		[2]string{"errors", r.Tell.String()}, [2]string{"ends", string(r.Ending)}, [2]string{"after", strings.Join(r.After, ", ")})
	for _, member := range told(r.Result) {
		lines = append(lines, [2]string{"tells", member})
	}
	for _, warning := range r.Warnings() {
		lines = append(lines, [2]string{"look at", warning})
	}
	return lines
}

// WriteMarkdown prints a section for each route: the seven points, then its input.
func WriteMarkdown(w io.Writer, routes []Route) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# Route review\n\n%s.\n", plural(len(routes), "route"))
	for _, r := range routes {
		fmt.Fprintf(out, "\n## `%s`\n\n", r.Pattern)
		fmt.Fprintln(out, "| | point | answer | to look at | OWASP API 2023 | ASVS 5.0 |")
		fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- |")
		for i, p := range r.Points() {
			fmt.Fprintf(out, "| %d | %s | %s | %s | %s | %s |\n", i+1, p.Question, cell(p.Answer), cell(strings.Join(p.Warnings, "; ")),
				strings.ReplaceAll(strings.Join(p.OWASP, ", "), ":2023", ""), strings.Join(p.ASVS, ", "))
		}
		if fields := flat(r.What.Fields); len(fields) > 0 {
			fmt.Fprint(out, "\n| field | type | rules |\n| --- | --- | --- |\n")
			for _, f := range fields {
				rules := strings.TrimSpace(strings.TrimPrefix(f.String(), f.Pointer+" "+f.GoType))
				fmt.Fprintf(out, "| `%s` | %s | %s |\n", f.Pointer, cell(f.GoType), cell(rules))
			}
		}
	}
	return out.Flush()
}

// cell escapes what would end a cell, be markup or be HTML.
func cell(text string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "*", "\\*", "_", "\\_", "[", "\\[", "`", "\\`", "\n", " ").Replace(text)
}

// WriteJSON prints an array of the routes with their points, for other tools.
func WriteJSON(w io.Writer, routes []Route) error {
	type reviewed struct {
		Route
		Points []Point `json:"points"`
	}
	all := make([]reviewed, len(routes))
	for i, r := range routes {
		all[i] = reviewed{r, r.Points()}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

// MarshalJSON adds the name of the Go type.
func (w What) MarshalJSON() ([]byte, error) {
	type plain What
	return json.Marshal(struct {
		Type string `json:"type,omitempty"`
		plain
	}{nameOf(w.Type), plain(w)})
}

// MarshalJSON adds the period as text, such as "1m".
func (l Limit) MarshalJSON() ([]byte, error) {
	type plain Limit
	period := ""
	if l.Period > 0 {
		period = shortDuration(l.Period)
	}
	return json.Marshal(struct {
		plain
		Period string `json:"period,omitempty"`
	}{plain(l), period})
}

func nameOf(t reflect.Type) string {
	if t == nil {
		return ""
	}
	return t.String()
}
