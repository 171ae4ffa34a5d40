package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

func TestDemoProjects(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		for _, tt := range []struct {
			id         uuid.UUID
			owner      string
			visibility string
		}{
			{id: idAlice, owner: "alice", visibility: VisibilityTeam},
			{id: idBob, owner: "bob", visibility: VisibilityPrivate},
		} {
			p, err := s.Project(t.Context(), tt.id)
			if err != nil {
				t.Fatalf("Project: %v", err)
			}
			if p.ID != tt.id || p.OwnerID != tt.owner || p.Visibility != tt.visibility {
				t.Errorf("got %+v, want owner %s and visibility %s", *p, tt.owner, tt.visibility)
			}
			// The demo data keeps the rules of the API.
			if n := utf8.RuneCountInString(p.Name); n < 3 || n > 80 {
				t.Errorf("name of %s has %d characters", tt.owner, n)
			}
			if n := utf8.RuneCountInString(p.Summary); n < 20 || n > 300 {
				t.Errorf("summary of %s has %d characters", tt.owner, n)
			}
		}
	})
}

func TestCreatedProjectReadsBackTheSame(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		c := newClock()
		s.now = c.now
		made, err := s.CreateProject(t.Context(), "alice", NewProject{
			Name: "Naïve \x00 'quoted\" % _ 名前", Summary: "Line one\nline two 🎉", Visibility: VisibilityTeam,
		})
		if err != nil {
			t.Fatalf("CreateProject: %v", err)
		}
		want := Project{
			ID: made.ID, OwnerID: "alice", Name: "Naïve \x00 'quoted\" % _ 名前", Summary: "Line one\nline two 🎉",
			Visibility: VisibilityTeam, CreatedAt: c.now(), UpdatedAt: c.now(),
		}
		got, err := s.Project(t.Context(), made.ID)
		if err != nil {
			t.Fatalf("Project: %v", err)
		}
		if *made != want || *got != want {
			t.Errorf("got %+v and %+v, want %+v", *made, *got, want)
		}
		if made.ID.Version() != 7 {
			t.Errorf("got a UUID of version %d, want 7", made.ID.Version())
		}
	})
}

func TestUnknownVisibilityIsRefused(t *testing.T) {
	t.Parallel()
	s := seeded(t, "")
	for _, v := range []string{"", "public", "Team"} {
		if _, err := s.CreateProject(t.Context(), "alice", NewProject{Name: "abc", Summary: "x", Visibility: v}); err == nil {
			t.Errorf("CreateProject accepted visibility %q", v)
		}
		if _, err := s.UpdateProject(t.Context(), idAlice, "alice", ProjectChanges{Visibility: &v}); err == nil {
			t.Errorf("UpdateProject accepted visibility %q", v)
		}
	}
}

func TestUpdateProject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		changes ProjectChanges
		want    func(*Project)
	}{
		{name: "only the name", changes: ProjectChanges{Name: new("New name")}, want: func(p *Project) { p.Name = "New name" }},
		{name: "only the summary", changes: ProjectChanges{Summary: new("Short.")}, want: func(p *Project) { p.Summary = "Short." }},
		{
			name: "only the visibility", changes: ProjectChanges{Visibility: new(VisibilityPrivate)},
			want: func(p *Project) { p.Visibility = VisibilityPrivate },
		},
		{
			name:    "everything",
			changes: ProjectChanges{Name: new("N"), Summary: new("S"), Visibility: new(VisibilityPrivate)},
			want:    func(p *Project) { p.Name, p.Summary, p.Visibility = "N", "S", VisibilityPrivate },
		},
		{name: "nothing", changes: ProjectChanges{}, want: func(*Project) {}},
		{name: "the empty string is a value", changes: ProjectChanges{Summary: new("")}, want: func(p *Project) { p.Summary = "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, c := seeded(t, ""), newClock()
			s.now = c.now
			want, err := s.Project(t.Context(), idAlice)
			if err != nil {
				t.Fatal(err)
			}
			tt.want(want)
			want.UpdatedAt = c.now()

			updated, err := s.UpdateProject(t.Context(), idAlice, "alice", tt.changes)
			if err != nil {
				t.Fatalf("UpdateProject: %v", err)
			}
			stored, err := s.Project(t.Context(), idAlice)
			if err != nil {
				t.Fatal(err)
			}
			if *updated != *want || *stored != *want {
				t.Errorf("got %+v and %+v, want %+v", *updated, *stored, *want)
			}
		})
	}
}

func TestOnlyTheOwnerChangesAProject(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		before, err := s.Project(ctx, idBob)
		if err != nil {
			t.Fatal(err)
		}
		for _, owner := range []string{"alice", "admin", "", "BOB", "bob' OR '1'='1"} {
			_, err := s.UpdateProject(ctx, idBob, owner, ProjectChanges{Name: new("Stolen")})
			wantNotFound(t, "update as "+owner, err)
			wantNotFound(t, "delete as "+owner, s.DeleteProject(ctx, idBob, owner))
		}
		after, err := s.Project(ctx, idBob)
		if err != nil || *after != *before {
			t.Errorf("got %v, %v, want it unchanged", after, err)
		}
		if err := s.DeleteProject(ctx, idBob, "bob"); err != nil {
			t.Errorf("delete as the owner: %v", err)
		}
		_, err = s.Project(ctx, idBob)
		wantNotFound(t, "a deleted project", err)
		wantNotFound(t, "deleting again", s.DeleteProject(ctx, idBob, "bob"))
		_, err = s.UpdateProject(ctx, idBob, "bob", ProjectChanges{Name: new("Back")})
		wantNotFound(t, "updating a deleted project", err)
	})
}

// walk follows the cursors and returns the names in the order of the list.
func walk(t *testing.T, s *Store, owner string, limit int) []string {
	t.Helper()
	var all []string
	for cursor := ""; ; {
		page, next, err := s.Projects(t.Context(), owner, limit, cursor)
		if err != nil {
			t.Fatalf("Projects: %v", err)
		}
		if len(page) > limit {
			t.Fatalf("got a page of %d, want at most %d", len(page), limit)
		}
		all = append(all, names(page)...)
		if next == "" {
			return all
		}
		cursor = next
	}
}

func TestPagesListEveryProjectOnceNewestFirst(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		c := newClock()
		s.now = c.now
		var want []string
		for i := range 23 {
			// Several projects share a moment, so the order needs the id too.
			if i%4 == 0 {
				c.advance(time.Microsecond)
			}
			create(t, s, "bob", fmt.Sprintf("Bob's %d", i), VisibilityPrivate)
			want = append(want, create(t, s, "admin", fmt.Sprintf("Admin's %02d", i), VisibilityTeam).Name)
		}
		slices.Sort(want)
		var first []string
		for _, limit := range []int{1, 2, 5, 22, 23, 24, MaxPage} {
			got := walk(t, s, "admin", limit)
			if first == nil {
				first = got
			}
			if !slices.Equal(got, first) {
				t.Errorf("limit %d: the order differs: got %v, want %v", limit, got, first)
			}
			if sorted := slices.Sorted(slices.Values(got)); !slices.Equal(sorted, want) {
				t.Errorf("limit %d: got %v, want %v", limit, sorted, want)
			}
		}
		if first[0] < first[len(first)-1] {
			t.Errorf("got %s before %s, want the newest first", first[0], first[len(first)-1])
		}
	})
}

func TestPagesStayStableWhileRowsComeAndGo(t *testing.T) {
	t.Parallel()
	s, c := seeded(t, ""), newClock()
	s.now = c.now
	var made []*Project
	for i := range 6 {
		c.advance(time.Second)
		made = append(made, create(t, s, "admin", fmt.Sprintf("p%d", i), VisibilityPrivate))
	}
	page, next, err := s.Projects(t.Context(), "admin", 2, "")
	if err != nil || !slices.Equal(names(page), []string{"p5", "p4"}) {
		t.Fatalf("got %v, %v, want p5 and p4", names(page), err)
	}
	c.advance(time.Second)
	create(t, s, "admin", "newcomer", VisibilityPrivate)
	for _, p := range []*Project{made[4], made[3]} { // the last row that was seen, and one that was not
		if err := s.DeleteProject(t.Context(), p.ID, "admin"); err != nil {
			t.Fatal(err)
		}
	}
	page, next, err = s.Projects(t.Context(), "admin", 2, next)
	if err != nil || !slices.Equal(names(page), []string{"p2", "p1"}) || next == "" {
		t.Errorf("got %v, %q, %v, want p2, p1 and a cursor", names(page), next, err)
	}
}

func TestCursorNeverShowsRowsOfOthers(t *testing.T) {
	t.Parallel()
	s := seeded(t, "")
	for i := range 5 {
		create(t, s, "bob", fmt.Sprintf("Bob's %d", i), VisibilityTeam)
		create(t, s, "alice", fmt.Sprintf("Alice's %d", i), VisibilityTeam)
	}
	_, bobs, err := s.Projects(t.Context(), "bob", 1, "")
	if err != nil || bobs == "" {
		t.Fatalf("got %q, %v, want a cursor", bobs, err)
	}
	page, _, err := s.Projects(t.Context(), "alice", MaxPage, bobs)
	if err != nil {
		t.Fatalf("Projects: %v", err)
	}
	for _, p := range page {
		if p.OwnerID != "alice" {
			t.Errorf("alice sees %q of %s", p.Name, p.OwnerID)
		}
	}
}

func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	s := seeded(t, "")
	for i := range MaxPage + 5 {
		create(t, s, "admin", fmt.Sprintf("p%d", i), VisibilityTeam)
	}
	for _, tt := range []struct{ limit, want int }{
		{limit: -1, want: 1}, {limit: 0, want: 1}, {limit: 1, want: 1}, {limit: MaxPage + 1, want: MaxPage}, {limit: 1 << 30, want: MaxPage},
	} {
		page, next, err := s.Projects(t.Context(), "admin", tt.limit, "")
		if err != nil || len(page) != tt.want || next == "" {
			t.Errorf("Projects, limit %d: got %d rows, %q, %v, want %d rows", tt.limit, len(page), next, err, tt.want)
		}
		found, err := s.SearchTeamProjects(t.Context(), "p", tt.limit)
		if err != nil || len(found) != tt.want {
			t.Errorf("search, limit %d: got %d rows, %v, want %d", tt.limit, len(found), err, tt.want)
		}
	}
}

func TestUserWithoutProjectsHasAnEmptyPage(t *testing.T) {
	t.Parallel()
	s := seeded(t, "")
	page, next, err := s.Projects(t.Context(), "admin", 10, "")
	if err != nil || page == nil || len(page) != 0 || next != "" {
		t.Errorf("got %v, %q, %v, want an empty page that is not nil", page, next, err)
	}
}

func TestMalformedCursors(t *testing.T) {
	t.Parallel()
	s := seeded(t, "")
	good := position{createdAt: 1, id: idAlice}.cursor()
	for _, tt := range []struct{ name, cursor string }{
		{name: "a number", cursor: "2"},
		{name: "too short", cursor: good[:len(good)-1]},
		{name: "too long", cursor: good + "A"},
		{name: "padded", cursor: good + "=="},
		{name: "a newline inside", cursor: good[:10] + "\n" + good[11:]},
		{name: "not base64url", cursor: good[:10] + "+" + good[11:]},
		{name: "another version", cursor: "B" + good[1:]},
		{name: "a time before 1970", cursor: "Af__" + good[4:]},
		{name: "bits after the end", cursor: good[:len(good)-1] + string(good[len(good)-1]+1)},
		{name: "very long", cursor: strings.Repeat("A", 1<<20)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			page, next, err := s.Projects(t.Context(), "alice", 10, tt.cursor)
			if !errors.Is(err, ErrBadCursor) || page != nil || next != "" {
				t.Errorf("got %v, %q, %v, want ErrBadCursor and nothing else", page, next, err)
			}
		})
	}
}

// Invariants: a cursor that is accepted is the only spelling of its position, and parsing never panics.
func FuzzParseCursor(f *testing.F) {
	f.Add(position{createdAt: 1, id: idBob}.cursor())
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseCursor(s)
		if err != nil {
			if !errors.Is(err, ErrBadCursor) {
				t.Fatalf("got %v, want ErrBadCursor", err)
			}
			return
		}
		if s != "" && p.cursor() != s {
			t.Fatalf("%q and %q are one position", s, p.cursor())
		}
	})
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s, c := opened(t, ""), newClock()
	s.now = c.now
	if _, err := s.SeedDemo(t.Context(), testHash); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"100% cotton", "1000 cotton", "snake_case", "snakeXcase", `back\slash`, "Große Straße", "ΣΊΣΥΦΟΣ", "Cafe\u0301 crawl", "НАБЕРЕЖНАЯ", "nul\x00byte",
	} {
		c.advance(time.Second)
		create(t, s, "bob", name, VisibilityTeam)
		create(t, s, "bob", name+" (private)", VisibilityPrivate)
	}
	for _, tt := range []struct {
		name, q string
		want    []string
	}{
		{name: "part of a name", q: "cotton", want: []string{"1000 cotton", "100% cotton"}},
		{name: "a percent sign is itself", q: "100%", want: []string{"100% cotton"}},
		{name: "an underscore is itself", q: "snake_", want: []string{"snake_case"}},
		{name: "only wildcards", q: "%_%", want: []string{}},
		{name: "a backslash is itself", q: `K\S`, want: []string{`back\slash`}},
		{name: "ASCII case", q: "HARBOR LIGHT", want: []string{"Harbor lighting survey"}},
		{name: "the summary", q: "street LIGHT", want: []string{"Harbor lighting survey"}},
		{name: "sharp s", q: "STRASSE", want: []string{"Große Straße"}},
		{name: "Greek", q: "σίσυφος", want: []string{"ΣΊΣΥΦΟΣ"}},
		{name: "Cyrillic", q: "набережная", want: []string{"НАБЕРЕЖНАЯ"}},
		{name: "composed and decomposed", q: "CAF\u00c9", want: []string{"Cafe\u0301 crawl"}},
		{name: "a NUL is itself", q: "l\x00b", want: []string{"nul\x00byte"}},
		{name: "a quote is itself", q: "' OR 1=1 --", want: []string{}},
		{name: "a private project", q: "recipe", want: []string{}},
		{name: "the word private", q: "(private)", want: []string{}},
		{name: "nothing", q: "", want: []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			found, err := s.SearchTeamProjects(t.Context(), tt.q, MaxPage)
			if err != nil {
				t.Fatalf("SearchTeamProjects: %v", err)
			}
			if got := names(found); found == nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSearchFollowsUpdates(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		search := func(q string) []string {
			t.Helper()
			found, err := s.SearchTeamProjects(ctx, q, 10)
			if err != nil {
				t.Fatal(err)
			}
			return names(found)
		}
		if _, err := s.UpdateProject(ctx, idAlice, "alice", ProjectChanges{Name: new("ÜBERFAHRT")}); err != nil {
			t.Fatal(err)
		}
		if got := search("überfahrt"); !slices.Equal(got, []string{"ÜBERFAHRT"}) {
			t.Errorf("new name: got %q", got)
		}
		if got := search("lighting"); len(got) != 0 {
			t.Errorf("old name: got %q, want nothing", got)
		}
		if got := search("council"); len(got) != 1 {
			t.Errorf("unchanged summary: got %q, want it found", got)
		}
		if _, err := s.UpdateProject(ctx, idAlice, "alice", ProjectChanges{Visibility: new(VisibilityPrivate)}); err != nil {
			t.Fatal(err)
		}
		if got := search("überfahrt"); len(got) != 0 {
			t.Errorf("private again: got %q, want nothing", got)
		}
	})
}

// Otherwise every request reads and sorts the whole table.
func TestListsUseTheirIndex(t *testing.T) {
	t.Parallel()
	s := seeded(t, "")
	for _, tt := range []struct {
		name, query, want string
		args              []any
	}{
		{name: "own projects", query: selectOwnedAfter, want: "projects_by_owner", args: []any{"alice", 1, uuid.Max, 5}},
		{name: "search", query: selectTeamMatching, want: "projects_by_visibility", args: []any{"x", 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+tt.query, tt.args...)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var plan []string
			for rows.Next() {
				var id, parent, unused int
				var step string
				if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
					t.Fatal(err)
				}
				plan = append(plan, step)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			if len(plan) != 1 || !strings.Contains(plan[0], tt.want) {
				t.Errorf("got %q, want one step that uses the index %s", plan, tt.want)
			}
		})
	}
}
