package checklist

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// String is the credentials and roles, such as "bearer|cookie only User.IsAdmin".
func (w Who) String() string {
	if w.Anyone {
		return "anyone"
	}
	var kinds []string
	for _, c := range w.Credentials {
		kinds = append(kinds, c.String())
	}
	text := strings.Join(kinds, "|")
	if len(w.Roles) > 0 {
		text += " only " + strings.Join(w.Roles, ", ")
	}
	if w.Optional {
		text += ", or anonymous"
	}
	return text
}

// String is the kind, and of signed messages the scheme and the cap.
func (c Credential) String() string {
	text := c.Kind
	if c.Kind == "signed" {
		text += " " + c.Name + " " + Size(c.MaxBody)
	}
	if c.Kept {
		text += " (kept)"
	}
	return text
}

// messages is what becomes of a captured message, such as "within 5m, remembered 24h".
func (c Credential) messages() string {
	switch {
	case c.Remembered == "":
		return ""
	case c.Tolerance == 0:
		return "of any time, remembered " + c.Remembered
	}
	return "within " + shortDuration(c.Tolerance) + ", remembered " + c.Remembered
}

// String is the payload, such as "JSON main.CreateProject 256 KiB".
func (w What) String() string {
	parts := []string{w.Kind}
	if w.Type != nil {
		parts = append(parts, w.Type.String())
	}
	if w.MaxBody > 0 {
		parts = append(parts, Size(w.MaxBody))
	}
	return strings.Join(parts, " ")
}

// String is the field with its type and rules on a line.
func (f Field) String() string {
	text := f.Pointer + " " + f.GoType
	for _, tag := range [][2]string{{"normalize", f.Normalize}, {"validate", f.Rules}} {
		if tag[1] != "" {
			text += fmt.Sprintf(" %s:%q", tag[0], tag[1])
		}
	}
	if f.HasDefault {
		text += fmt.Sprintf(" default:%q", f.Default)
	}
	if f.FileMax > 0 {
		bounds := "max=" + Size(f.FileMax) + ",types=" + strings.Join(f.FileTypes, " ")
		if f.FileDeclaredAny {
			bounds += ",declared=any"
		}
		text += fmt.Sprintf(" file:%q", bounds)
	}
	if f.Client {
		text += ` guard:"client"`
	}
	return text
}

// TypeName is a type's name, the same under every JSON back end.
func TypeName(t reflect.Type) string {
	return strings.NewReplacer("json.RawMessage", "raw JSON", "jsontext.Value", "raw JSON").Replace(t.String())
}

// flat lists fields and the fields within them.
func flat(fields []Field) []Field {
	var all []Field
	for _, f := range fields {
		all = append(append(all, f), flat(f.Fields)...)
	}
	return all
}

// String is the way to the resource, such as "{projectID} Owned Project.OwnedBy".
func (w Which) String() string {
	if len(w.Steps) == 0 {
		return "none"
	}
	var rules []string
	for _, s := range w.Steps {
		rules = append(rules, s.Kind+" "+s.Rule)
	}
	text := strings.Join(rules, " > ")
	if names := w.Parameters(); len(names) > 0 {
		text = "{" + strings.Join(names, "}/{") + "} " + text
	}
	return text
}

// String is the rules, such as "60/1m per caller + 2 in flight per caller".
func (l Limits) String() string {
	if len(l.Rules) == 0 {
		return "unlimited: " + l.Unlimited
	}
	var texts []string
	for i, r := range l.Rules {
		switch {
		case r.Preset == "":
			texts = append(texts, r.String())
		case i == 0 || l.Rules[i-1].Preset != r.Preset:
			texts = append(texts, r.Preset)
		}
	}
	return strings.Join(texts, " + ")
}

// String is one rule, such as "60/1m per caller".
func (l Limit) String() string {
	text := fmt.Sprintf("%d/%s per %s", l.Count, shortDuration(l.Period), l.Per)
	if l.InFlight {
		text = fmt.Sprintf("%d in flight per %s", l.Count, l.Per)
	}
	if l.Burst != l.Count {
		text += fmt.Sprintf(" burst %d", l.Burst)
	}
	if l.Cost != 1 {
		text += fmt.Sprintf(" cost %d", l.Cost)
	}
	if l.Weight != "" {
		text += " by " + l.Weight
	}
	if l.OnFailure {
		text += " on failure"
	}
	if l.SplitByNetwork {
		text += " and network"
	}
	if l.Shadow {
		text += " shadow"
	}
	if l.Name != "" {
		text += " as " + l.Name
	}
	return text
}

// String is the media type, and the status of broken rules where it is not 400.
func (t Tell) String() string {
	if t.InvalidStatus == 400 {
		return t.MediaType
	}
	return fmt.Sprintf("%s, %d for broken rules", t.MediaType, t.InvalidStatus)
}

// where is how the rules are counted, where that is not this process.
func (l Limits) where() string {
	var all []string
	for _, r := range l.Rules {
		if text := r.Store + ", outage " + r.Outage; r.Store != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

// notes are how the route ends, its hooks, and why it is unguarded.
func (r Route) notes() string {
	if r.Unguarded != "" {
		return r.Unguarded
	}
	var notes []string
	if r.Ending != Handler {
		notes = append(notes, string(r.Ending))
	}
	if len(r.After) > 0 {
		notes = append(notes, "after: "+strings.Join(r.After, ", "))
	}
	return strings.Join(notes, "; ")
}

// Size is a number of bytes in the largest unit that divides it: "256 KiB".
func Size(n int64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if n < 1<<10 || n%(1<<10) != 0 {
			return strconv.FormatInt(n, 10) + " " + unit
		}
		n >>= 10
	}
	return strconv.FormatInt(n, 10) + " GiB"
}

// shortDuration is 1m for 1m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
