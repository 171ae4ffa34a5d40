package guardtest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// listPages asks for a page of the caller's items.
type listPages struct {
	Limit  int    `query:"limit" default:"2" validate:"min=1,max=5"`
	Cursor string `query:"cursor" validate:"max=9"`
}

type itemPage struct {
	Items []string `json:"items"`
	Next  string   `json:"nextCursor"`
}

func itemID(owner string, n int) string { return fmt.Sprintf("item-of-%s-%04d", owner, n) }

// pagesRoute is a list with pages, of what each caller has.
func (s *sample) pagesRoute(users guard.Authenticator[person], perCaller guard.Limit) {
	s.handle("GET /items", guard.New(users, guard.Query[listPages], guard.NoResource, perCaller, s.errs,
		func(_ context.Context, c *call[listPages, guard.None]) (itemPage, error) {
			from, err := strconv.Atoi("0" + c.Input.Cursor)
			if err != nil || from > 9 {
				return itemPage{}, guard.Invalid("query/cursor", "cursor", "must be a cursor of an earlier page")
			}
			of := c.Caller.id
			if from > 0 && s.is("pages on into what is of others") || from == 0 && s.is("lists the ids of others") {
				of = "ann"
			}
			page := itemPage{}
			for n := from; n < min(from+c.Input.Limit, 3); n++ {
				page.Items = append(page.Items, itemID(of, n))
			}
			if from+c.Input.Limit < 3 {
				page.Next = strconv.Itoa(from + c.Input.Limit)
			}
			return page, nil
		}))
}

// byCredential counts each credential of a caller alone.
func (s *sample) byCredential() guard.Limit {
	return guard.PerKey(s.limits, func(_ person, r *http.Request) string {
		return r.Header.Get("Authorization") + r.Header.Get("X-Api-Key") + r.Header.Get("Cookie")
	}, 7, time.Minute)
}

func TestNextPageIsFoundInAnyStyle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, want string }{
		{`{"next":"a"}`, "a"},
		{`{"items":[],"next_cursor":"b"}`, "b"},
		{`{"nextPageToken":"c"}`, "c"},
		{`{"cursor":"old","next":"new"}`, "new"},
		{`{"next":null}`, ""},
		{`{"next":7}`, ""},
		{`["next"]`, ""},
		{``, ""},
	} {
		if got := nextPage([]byte(tt.body)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.body, got, tt.want)
		}
	}
}

// What differs between two services with the same data must not look stale.
func TestSteadyLeavesOutIDsAndTimes(t *testing.T) {
	t.Parallel()
	of := func(status int, body string) string { return answer{status: status, body: []byte(body)}.steady() }
	if a, b := of(200, `{"id":"0198f000-0000-7000-8000-00000000a11c","at":"2026-01-02T03:04:05.6Z","n":1767322800}`),
		of(200, `{"id":"0198f000-0000-7000-8000-000000000b0b","at":"2027-01-02T03:04:05Z","n":1767322801}`); a != b {
		t.Errorf("%q and %q differ", a, b)
	}
	if of(200, `{"name":"old"}`) == of(200, `{"name":"new"}`) || of(200, "") == of(404, "") {
		t.Error("two texts, or two statuses, are the same")
	}
}
