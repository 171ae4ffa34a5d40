package openapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/openapi"
)

type caller struct{ name string }

func (c caller) Subject() string { return c.name }
func (c caller) IsAdmin() bool   { return c.name == "admin" }

type color struct{ name string }

func (c *color) UnmarshalText(b []byte) error { c.name = string(b); return nil }
func (c color) MarshalText() ([]byte, error)  { return []byte(c.name), nil }

type point struct {
	X int8   `json:"x" validate:"min=-5,max=5"`
	Y uint16 `json:"y" validate:"gt=1,lt=100"`
}

type tree struct {
	Label    string `json:"label" validate:"required,max=9"`
	Children []tree `json:"children" validate:"max=2,dive"`
}

type named struct {
	Label string `json:"label" validate:"alpha,len=4"`
}

type pair[V any] struct {
	Left  V `json:"left"`
	Right V `json:"right"`
}

// everything has a field of each kind, and most rules.
type everything struct {
	Token   string    `header:"X-Token" validate:"required,hexadecimal,len=8"`
	Limit   int       `query:"limit" default:"20" validate:"min=1,max=50"`
	Ratio   *float64  `query:"ratio" validate:"omitnil,gt=0,lt=1"`
	Sort    []string  `query:"sort" validate:"max=3,unique,dive,oneof=name date"`
	Exact   bool      `query:"exact"`
	After   uuid.UUID `query:"after"`
	Version string    `header:"X-Version" default:"1.0.0" validate:"semver"`

	all
	Name     string                       `json:"name" normalize:"trim" validate:"required,min=3,max=20"`
	Kind     string                       `json:"kind" normalize:"lower" validate:"oneof=big small"`
	Composed string                       `json:"composed" normalize:"nfc" validate:"max=5"`
	Email    string                       `json:"email" validate:"omitempty,email"`
	Link     string                       `json:"link" validate:"omitempty,web_url|email"`
	Blank    string                       `json:"blank" normalize:"trim" validate:"omitempty,min=3,alpha"`
	Note     string                       `json:"note" validate:"omitempty,min=3,single_line"`
	Status   string                       `json:"status" validate:"omitzero,oneof=on off"`
	Age      int                          `json:"age" validate:"omitempty,min=18"`
	Size     int32                        `json:"size" validate:"oneof=1 2 3"`
	Count    uint8                        `json:"count" validate:"required"`
	Weight   float64                      `json:"weight" validate:"gte=0.5,lte=99.5"`
	Narrow   float32                      `json:"narrow" validate:"max=5"`
	Agree    bool                         `json:"agree" validate:"required"`
	Flag     *bool                        `json:"flag" validate:"required"`
	When     time.Time                    `json:"when" validate:"required"`
	Wait     time.Duration                `json:"wait" validate:"omitempty,min=1s"`
	ID       uuid.UUID                    `json:"id" validate:"required"`
	Other    string                       `json:"other" validate:"omitempty,uuid4"`
	Addr     netip.Addr                   `json:"addr"`
	Net      *netip.Prefix                `json:"net"`
	Color    color                        `json:"color"`
	Data     []byte                       `json:"data" validate:"min=2,max=6"`
	Digest   [4]byte                      `json:"digest"`
	Grid     [2]int                       `json:"grid"`
	Tags     []string                     `json:"tags" validate:"min=1,max=3,unique,dive,alphanum,min=2,max=8"`
	Scores   map[string]int               `json:"scores" validate:"max=2,dive,keys,alpha,endkeys,min=0,max=10"`
	Where    *point                       `json:"where"`
	Home     point                        `json:"home"`
	Path     []point                      `json:"path" validate:"max=4,dive"`
	Skipped  named                        `json:"skipped" validate:"-"`
	Judged   named                        `json:"judged"`
	Tree     *tree                        `json:"tree"`
	Pair     pair[point]                  `json:"pair"`
	Any      any                          `json:"any" guard:"any=10"`
	Raw      json.RawMessage              `json:"raw" guard:"any=10"`
	Must     any                          `json:"must" validate:"required" guard:"any=10"`
	DueAt    guard.Optional[time.Time]    `json:"dueAt"`
	Title    guard.Optional[string]       `json:"title" validate:"omitempty,min=2,max=5"`
	Sure     guard.Optional[int]          `json:"sure" validate:"required,max=9"`
	Spot     guard.Optional[point]        `json:"spot"`
	Choice   guard.Optional[string]       `json:"choice" validate:"omitempty,oneof=a b"`
	List     guard.Optional[[]string]     `json:"list" validate:"omitempty,max=2,dive,min=1"`
	Password string                       `json:"password" validate:"min=8"`
	Repeat   string                       `json:"repeat" validate:"eqfield=Password"`
	Maps     map[string]map[string]string `json:"maps" validate:"max=2,dive,max=1,dive,ne=no"`
	Fixed    string                       `json:"fixed" validate:"eq=yes"`
	Prefix   string                       `json:"prefix" validate:"startswith=x.,endswith=z,excludes=bad"`
	Lines    [][]int                      `json:"lines" validate:"max=2,dive,max=3,dive,ne=7"`
	Inline   struct {
		A string `json:"a" validate:"numeric"`
	} `json:"inline"`
}

// all is embedded: its fields are the input's.
type all struct {
	Embedded string `json:"embedded" validate:"required,printascii,max=12"`
}

type result struct {
	pair[*int]
	ID      uuid.UUID            `json:"id"`
	At      time.Time            `json:"at"`
	Bytes   []byte               `json:"bytes"`
	Raw     json.RawMessage      `json:"raw"`
	Any     any                  `json:"any"`
	Color   color                `json:"color"`
	Hidden  string               `json:"-"`
	Plain   string               //nolint:tagliatelle // its Go name
	Tree    *tree                `json:"tree,omitzero"`
	Quoted  int64                `json:"quoted,string"`
	Many    map[string][]float64 `json:"many"`
	Maybe   guard.Optional[int]  `json:"maybe,omitzero"`
	private string
}

type form struct {
	Title  string      `form:"title" normalize:"trim" validate:"required,max=10"`
	Count  int         `form:"count" default:"1" validate:"min=1,max=5"`
	Tags   []string    `form:"tags" validate:"max=2,dive,alpha"`
	Photo  guard.File  `form:"photo" file:"max=1KiB,types=image/png image/gif"`
	Second *guard.File `form:"second" file:"max=1KiB,types=image/jpeg,declared=any"`
}

type plainForm struct {
	Email string `form:"email" validate:"required,email"`
	Agree bool   `form:"agree"`
}

type paths struct {
	ID    uuid.UUID `path:"id"`
	Page  int       `path:"page" validate:"min=1,max=9"`
	Since time.Time `query:"since" validate:"required"`
}

func verify(_ context.Context, credential string) (caller, error) {
	if credential == "admin" || credential == "user" {
		return caller{credential}, nil
	}
	return caller{}, guard.ErrNoSession
}

func load(_ context.Context, id uuid.UUID) (*point, error) { return &point{X: 1}, nil }

func owns(*point, caller) bool { return true }

func respond(context.Context, *guard.Call[caller, everything, guard.None]) (result, error) {
	return result{At: time.Unix(0, 0).UTC(), Raw: json.RawMessage(`[1]`), private: "x"}, nil
}

func nothing[S guard.Principal, T, R any](context.Context, *guard.Call[S, T, R]) (guard.None, error) {
	return guard.None{}, nil
}

func service(tell *guard.Responder) *guard.Mux {
	users := guard.FirstOf(guard.Bearer(verify), guard.Cookie("__Host-session", verify), guard.APIKey("X-Key", verify))
	limits := &guard.Limiter{Headers: true}
	many := limits.PerCaller(1_000_000, time.Minute)
	mux := guard.NewMux(tell)
	mux.Handle("POST /everything", guard.New(users, guard.JSON[everything], guard.NoResource, many, tell, respond))
	mux.Handle("POST /forms", guard.New(users, guard.Form[form], guard.NoResource, many, tell, nothing))
	mux.Handle("POST /plain", guard.New(guard.AllowAnonymous(users), guard.Form[plainForm], guard.NoResource, limits.PerIP(1_000_000, time.Minute), tell, nothing))
	mux.Handle("GET /things/{id}/{page}", guard.New(users, guard.Query[paths], guard.NoResource, many, tell, nothing))
	mux.Handle("DELETE /owned/{id}", guard.New(guard.Only(users, caller.IsAdmin), guard.NoPayload, guard.Owned("id", guard.ParseUUID, load, owns), many, tell, nothing))
	mux.Handle("/wrapped/{rest...}", guard.Wrap(users, guard.RawBody(1<<10), guard.NoResource, many, tell, http.HandlerFunc(hello)))
	mux.Handle("GET /tree/{$}", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("a test"), tell, nothing))
	mux.Unguarded("GET /healthz", "a probe", http.HandlerFunc(hello))
	return mux
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }

func document(t *testing.T, tell *guard.Responder) []byte {
	t.Helper()
	doc, err := openapi.Document(openapi.Info{Title: "Everything", Version: "1"}, service(tell).Routes(),
		openapi.Operation{Pattern: "POST /everything", Input: sample()})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// sample is an input that the guard takes.
func sample() everything {
	return everything{
		Token: "0123abcd", Limit: 5, Sort: []string{"name"}, all: all{Embedded: "in"},
		Name: "Bridge", Blank: "abc", Kind: "big", Size: 2, Count: 1, Weight: 1, Agree: true, Flag: new(false), When: time.Unix(0, 0).UTC(), Wait: time.Minute,
		ID: uuid.MustParse("0198f000-0000-7000-8000-00000000a11c"), Addr: netip.MustParseAddr("192.0.2.1"), Color: color{"red"},
		Data: []byte("abc"), Tags: []string{"ab"}, Scores: map[string]int{"a": 1}, Home: point{Y: 5}, Judged: named{"abcd"},
		Pair: pair[point]{Left: point{Y: 2}, Right: point{Y: 3}}, Must: "x", Sure: guard.Some(3), Spot: guard.Some(point{Y: 9}),
		Password: "longenough", Repeat: "longenough", Fixed: "yes", Prefix: "x.z", Inline: struct {
			A string `json:"a" validate:"numeric"`
		}{"1"},
	}
}
