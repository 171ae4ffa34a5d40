package route

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	issuer   = "https://issuer.example"
	audience = "projects-api"
	leeway   = 30 * time.Second
	maxBody  = 256 << 10
	pattern  = "/projects/{projectID}"
)

var key = []byte("a key of 32 bytes for benchmarks!")

// An Implementation is the route, made with one library.
type Implementation struct {
	Name string
	New  func(Limit) http.Handler
}

// Limit is how many requests of one caller are admitted in a period.
type Limit struct {
	N   int
	Per time.Duration
}

// The limit of the route, the same lifted out of the way, and one that is used up
// by a single request.
var (
	tenAMinute = Limit{10, time.Minute}
	Lifted     = Limit{2e9, time.Hour}
	once       = Limit{1, 24 * time.Hour}
)

// perSecond is the limit as golang.org/x/time/rate counts.
func (l Limit) perSecond() float64 { return float64(l.N) / l.Per.Seconds() }

// ByHand is the implementation that the others are compared with.
const ByHand = "by hand"

// All returns the implementations, the one by hand first.
func All() []Implementation {
	return []Implementation{
		{ByHand, newByHand},
		{"guard", newGuard},
		{"guard cache off", newGuardUncached},
		{"guard logging", newGuardLogging},
		{"tuned", newTuned},
		{"chi", newChi},
		{"gin", newGin},
		{"echo", newEcho},
		{"huma", newHuma},
	}
}

// Idle answers at once and checks nothing: what it takes is that of the harness.
func Idle() Implementation {
	return Implementation{"harness", func(Limit) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	}}
}

// Named returns an implementation, or Idle.
func Named(name string) (Implementation, error) {
	var names []string
	for _, i := range append(All(), Idle()) {
		if i.Name == name {
			return i, nil
		}
		names = append(names, i.Name)
	}
	return Implementation{}, fmt.Errorf("no implementation %q: name one of %s", name, strings.Join(names, ", "))
}

// Caller is whom a token belongs to.
type Caller struct{ ID, Role string }

// Subject is the key of the limit and the owner of projects.
func (c Caller) Subject() string { return c.ID }

// CanEdit reports whether the role may change projects.
func (c Caller) CanEdit() bool { return c.Role == "member" || c.Role == "admin" }

// UpdateProject is the body.
type UpdateProject struct {
	Name       *string `json:"name,omitempty"       validate:"omitnil,min=3,max=80"`
	Summary    *string `json:"summary,omitempty"    validate:"omitnil,min=20,max=300"`
	Visibility *string `json:"visibility,omitempty" validate:"omitnil,oneof=private team"`
}

// Project is a row.
type Project struct {
	ID         uuid.UUID
	Owner      string
	Name       string
	Summary    string
	Visibility string
	CreatedAt  time.Time
}

// View is what a caller sees of a project.
type View struct {
	ID         uuid.UUID `json:"id"`
	Name       string    `json:"name"`
	Summary    string    `json:"summary"`
	Visibility string    `json:"visibility"`
	CreatedAt  time.Time `json:"createdAt"`
}

// OneProject is the answer.
type OneProject struct {
	Project View `json:"project"`
}

// OwnedBy reports whether a project belongs to a caller.
func (p *Project) OwnedBy(c Caller) bool { return p.Owner == c.ID }

// changed is the project as it would be after the update. Nothing is stored: what
// is measured is what stands before the statement that would.
func (p *Project) changed(in UpdateProject) View {
	v := View{ID: p.ID, Name: p.Name, Summary: p.Summary, Visibility: p.Visibility, CreatedAt: p.CreatedAt}
	if in.Name != nil {
		v.Name = *in.Name
	}
	if in.Summary != nil {
		v.Summary = *in.Summary
	}
	if in.Visibility != nil {
		v.Visibility = *in.Visibility
	}
	return v
}

// users is how many callers there are; each owns one project.
const users = 10_000

func userID(i int) string    { return fmt.Sprintf("0198f0a2-7c1e-7d8a-9a55-%012x", i) }
func projectID(i int) string { return fmt.Sprintf("0198f000-0000-7000-8000-%012x", i) }

// projects is the table of rows. It is only read.
var projects = func() map[uuid.UUID]*Project {
	rows := make(map[uuid.UUID]*Project, users)
	for i := range users {
		id := uuid.MustParse(projectID(i))
		rows[id] = &Project{ID: id, Owner: userID(i), Name: "Bridge", Summary: "A bridge across the river, for people on foot.",
			Visibility: "private", CreatedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)}
	}
	return rows
}()

// goodClaims is the claims of a user's token that is good for an hour and extra.
func goodClaims(user int, extra time.Duration) jwt.MapClaims {
	return jwt.MapClaims{"sub": userID(user), "role": "member", "exp": time.Now().Add(time.Hour + extra).Unix(),
		"iss": issuer, "aud": audience}
}

func mint(claims jwt.MapClaims) string { return mintWith(jwt.SigningMethodHS256, key, claims) }

func mintWith(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		panic(err) // of a key that does not fit the method
	}
	return token
}

// goodBody sets all three fields.
var goodBody = func() string {
	name, summary, visibility := "Footbridge", "A bridge across the river, for people and bicycles.", "team"
	b, err := json.Marshal(UpdateProject{Name: &name, Summary: &summary, Visibility: &visibility})
	if err != nil {
		panic(err)
	}
	return string(b)
}()
