package guardtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/routeguard/guard/checklist"
)

// mostPages is how many pages of a list are read.
const mostPages = 8

// Names of a list's cursor and of its page size.
var (
	cursorNames = []string{"cursor", "after", "next", "pagetoken", "continue", "start"}
	sizeNames   = []string{"limit", "size", "pagesize", "perpage", "count", "maxresults"}
)

// pages reads a list to its end, page by page, and then somebody else's with the same
// cursors: a cursor says where to go on, never whose list it is.
func (a *attack) pages() {
	cursor, ok := a.named(cursorNames, isText)
	if !ok || a.route.Method() != http.MethodGet || a.route.What.Kind != "Query" {
		return
	}
	size, sized := a.named(sizeNames, isNumber)
	page := func(by caller, at string) answer {
		return a.send(func(s *service) *request {
			r := a.claim(s, by)
			if r == nil {
				return nil
			}
			if sized {
				r.set(size.Name, "1")
			}
			if at != "" {
				r.set(cursor.Name, at)
			}
			return r
		})
	}
	by, others := usual(a.route), []caller{stranger, tenant}
	at := ""
	for n := range mostPages {
		next := nextPage(page(by, at).body)
		if next == "" && n == 0 {
			a.skip("the first page is the last: let %s have several", by.name)
		}
		if at = next; at == "" {
			return
		}
		if by.name != owner.name {
			continue
		}
		for _, other := range others {
			if other.user(a.s).credentials() > 0 {
				page(other, at)
			}
		}
	}
}

// named is the field of the query with one of the names.
func (a *attack) named(names []string, fits func(checklist.Field) bool) (checklist.Field, bool) {
	for _, f := range a.route.What.Fields {
		if f.In == "query" && fits(f) && slices.Contains(names, bare(f.Name)) {
			return f, true
		}
	}
	return checklist.Field{}, false
}

// bare is a name without its style: next_cursor and nextCursor are one.
func bare(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}

// nextPage is the cursor of the next page that a list's answer holds, or "".
func nextPage(body []byte) string {
	var list map[string]any
	if json.Unmarshal(body, &list) != nil {
		return ""
	}
	for _, name := range []string{"next", "nextcursor", "nextpagetoken", "cursor", "after"} {
		for member, value := range list {
			if text, ok := value.(string); ok && bare(member) == name {
				return text
			}
		}
	}
	return ""
}
