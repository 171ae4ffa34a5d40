package guard_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"

	"github.com/routeguard/guard"
)

// CreateEvent has a field of each source.
type CreateEvent struct {
	Calendar string          `path:"calendar"      validate:"max=40"`
	Notify   bool            `query:"notify"       default:"true"`
	Key      string          `header:"Idempotency-Key" validate:"omitempty,max=64,printascii"`
	Title    string          `json:"title"         normalize:"trim,collapse,nfc" validate:"required,max=80,single_line"`
	StartsAt time.Time       `json:"startsAt"      validate:"required"`
	EndsAt   time.Time       `json:"endsAt"        validate:"required"`
	Guests   []Guest         `json:"guests"        validate:"max=20,dive"`
	Link     *string         `json:"link"          validate:"omitnil,web_url"`
	Labels   map[string]bool `json:"labels"        validate:"max=10"`
	Extra    any             `json:"extra"         guard:"any=50"`
}

type Guest struct {
	Email string `json:"email" normalize:"trim,lower" validate:"required,email"`
	Role  string `json:"role"  validate:"oneof=required optional" guard:"client"`
}

// Validate checks what concerns several fields.
func (e CreateEvent) Validate(context.Context) error {
	if !e.EndsAt.After(e.StartsAt) {
		return guard.Invalid("/endsAt", "order", "must be after startsAt")
	}
	return nil
}

type calendars struct{}

func (calendars) create(_ context.Context, c *guard.Call[guard.Anonymous, CreateEvent, guard.None]) (guard.None, error) {
	fmt.Printf("%q in %s, %d guests, notify %v\n", c.Input.Title, c.Input.Calendar, len(c.Input.Guests), c.Input.Notify)
	return guard.None{}, nil
}

// The five answers of an example route, but for what.
var (
	silent    = &guard.Responder{Log: slog.New(slog.DiscardHandler)}
	unlimited = guard.Unlimited("an example")
)

// post sends a request and prints what the caller learns, but for the request id.
func post(h http.Handler, target, contentType, body string) {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	text := w.Body.String()
	if before, after, ok := strings.Cut(text, `,"requestId":"`); ok {
		text = before + after[strings.Index(after, `"`)+1:]
	}
	text = strings.Replace(text, `"type":"about:blank",`, "", 1)
	fmt.Println(strings.TrimSpace(fmt.Sprint(w.Code, " ", text)))
}

// A field comes from one source, and all that is wrong is told at once.
func ExampleJSON() {
	app := calendars{}
	mux := guard.NewMux(silent)
	mux.Handle("POST /calendars/{calendar}/events", guard.New(
		guard.Anyone, guard.JSON[CreateEvent], guard.NoResource, unlimited, silent, app.create))

	post(mux, "/calendars/team/events?notify=false", "application/json",
		`{"title":"  Stand-up ","startsAt":"2030-01-01T09:00:00Z","endsAt":"2030-01-01T09:15:00Z","guests":[{"email":"A@example.com","role":"optional"}]}`)
	post(mux, "/calendars/team/events", "application/json",
		`{"title":"  ","startsAt":"2030-01-01T09:00:00Z","endsAt":"2030-01-01T09:15:00Z","guests":[{"email":"x","role":"optional"}],"link":"javascript:alert(1)"}`)
	post(mux, "/calendars/team/events", "application/json",
		`{"title":"Stand-up","startsAt":"2030-01-01T09:00:00Z","endsAt":"2030-01-01T08:00:00Z"}`)
	// Output:
	// "Stand-up" in team, 1 guests, notify false
	// 204
	// 400 {"title":"Invalid request body.","status":400,"code":"invalid_body","errors":[{"pointer":"/title","code":"required","message":"is required"},{"pointer":"/guests/0/email","code":"email","message":"must be an email address"},{"pointer":"/link","code":"web_url","message":"must be an http or https address"}]}
	// 400 {"title":"Invalid request body.","status":400,"code":"invalid_body","errors":[{"pointer":"/endsAt","code":"order","message":"must be after startsAt"}]}
}

// MoveEvent tells an absent room from one that is taken away.
type MoveEvent struct {
	Room guard.Optional[string] `json:"room" normalize:"trim" validate:"omitempty,min=2,max=40"`
}

func ExampleOptional() {
	move := guard.New(guard.Anyone, guard.JSON[MoveEvent], guard.NoResource, unlimited, silent,
		func(_ context.Context, c *guard.Call[guard.Anonymous, MoveEvent, guard.None]) (string, error) {
			room, ok := c.Input.Room.Value()
			switch {
			case ok:
				return "move to " + room, nil
			case c.Input.Room.IsNull():
				return "take the room away", nil
			}
			return "leave the room", nil
		})
	post(move, "/", "application/json", `{}`)
	post(move, "/", "application/json", `{"room":null}`)
	post(move, "/", "application/json", `{"room":" 4.12 "}`)
	// Output:
	// 200 "leave the room"
	// 200 "take the room away"
	// 200 "move to 4.12"
}

// Apply is a form with a file.
type Apply struct {
	Name string      `form:"name" normalize:"trim" validate:"required,max=80"`
	CV   guard.File  `form:"cv"   file:"max=2MiB,types=application/pdf"`
	More []string    `form:"more" validate:"max=3"`
	Foto *guard.File `form:"foto" file:"max=1MiB,types=image/png image/jpeg"`
}

func ExampleForm() {
	apply := guard.New(guard.Anyone, guard.Form[Apply], guard.NoResource, unlimited, silent,
		func(_ context.Context, c *guard.Call[guard.Anonymous, Apply, guard.None]) (string, error) {
			return fmt.Sprintf("%s sent %s, %d bytes", c.Input.Name, c.Input.CV.Name(), c.Input.CV.Size()), nil
		})
	upload := func(mediaType, content string) string {
		return strings.ReplaceAll("--b\nContent-Disposition: form-data; name=\"name\"\n\nAda\n--b\nContent-Disposition: form-data; name=\"cv\"; filename=\"C:\\cv.pdf\"\n"+
			"Content-Type: "+mediaType+"\n\n"+content+"\n--b--\n", "\n", "\r\n")
	}
	post(apply, "/", "multipart/form-data; boundary=b", upload("application/pdf", "%PDF-1.7"))
	post(apply, "/", "multipart/form-data; boundary=b", upload("application/pdf", "<script>"))
	// Output:
	// 200 "Ada sent cv.pdf, 8 bytes"
	// 400 {"title":"Invalid request body.","status":400,"code":"invalid_body","errors":[{"pointer":"/cv","code":"file_type","message":"must be a file of type application/pdf"}]}
}

// A service's own rule, on its own validator.
func ExampleRules() {
	rules := validator.New(validator.WithRequiredStructEnabled())
	err := errors.Join(
		guard.RegisterRules(rules), // notblank, single_line, web_url
		rules.RegisterValidation("sku", func(f validator.FieldLevel) bool { return strings.HasPrefix(f.Field().String(), "SKU-") }))
	if err != nil {
		fmt.Println(err)
		return
	}
	type Item struct {
		SKU string `json:"sku" validate:"required,sku"`
	}
	g := guard.New(guard.Anyone, guard.JSONWith[Item](guard.Rules(rules), guard.MaxBody(1<<10)), guard.NoResource, unlimited, silent,
		func(context.Context, *guard.Call[guard.Anonymous, Item, guard.None]) (guard.None, error) {
			return guard.None{}, nil
		})
	post(g, "/", "application/json", `{"sku":"SKU-1"}`)
	post(g, "/", "application/json", `{"sku":"1"}`)
	// Output:
	// 204
	// 400 {"title":"Invalid request body.","status":400,"code":"invalid_body","errors":[{"pointer":"/sku","code":"sku","message":"is invalid"}]}
}

// What the tags cannot say, a handler says in the same way.
func ExampleInvalid() {
	taken := guard.New(guard.Anyone, guard.JSON[MoveEvent], guard.NoResource, unlimited, silent,
		func(context.Context, *guard.Call[guard.Anonymous, MoveEvent, guard.None]) (guard.None, error) {
			return guard.None{}, guard.Invalid("/room", "taken", "is taken at that time")
		})
	post(taken, "/", "application/json", `{"room":"4.12"}`)
	// Output:
	// 400 {"title":"Invalid request body.","status":400,"code":"invalid_body","errors":[{"pointer":"/room","code":"taken","message":"is taken at that time"}]}
}

// A Responder may speak another language, and may tell broken rules from broken requests.
func ExampleResponder_message() {
	german := &guard.Responder{
		Log:           slog.New(slog.DiscardHandler),
		InvalidStatus: http.StatusUnprocessableEntity,
		Message: func(f guard.FieldError) string {
			switch f.Code {
			case "min":
				return "muss mindestens " + f.Param + " Zeichen haben"
			case "max":
				return "darf höchstens " + f.Param + " Zeichen haben"
			}
			return f.Message
		},
	}
	g := guard.New(guard.Anyone, guard.JSON[MoveEvent], guard.NoResource, unlimited, german,
		func(context.Context, *guard.Call[guard.Anonymous, MoveEvent, guard.None]) (guard.None, error) {
			return guard.None{}, nil
		})
	post(g, "/", "application/json", `{"room":"4"}`)
	post(g, "/", "application/json", `{"room":"4"`)
	// Output:
	// 422 {"title":"Invalid request body.","status":422,"code":"invalid_body","errors":[{"pointer":"/room","code":"min","message":"muss mindestens 2 Zeichen haben"}]}
	// 400 {"title":"Invalid request body.","status":400,"code":"invalid_body","errors":[{"pointer":"","code":"syntax","message":"is not valid JSON"}]}
}

// A wrapped handler finds the decoded input, and reads the body as it always did.
func ExampleWrap() {
	legacy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := guard.CallOf[guard.Anonymous, MoveEvent, guard.None](r.Context())
		if !ok {
			http.Error(w, "not behind its guard", http.StatusInternalServerError)
			return
		}
		room, _ := c.Input.Room.Value()
		fmt.Fprintf(w, "%d bytes, room %s\n", r.ContentLength, room)
	})
	post(guard.Wrap(guard.Anyone, guard.JSON[MoveEvent], guard.NoResource, unlimited, silent, legacy),
		"/", "application/json", `{"room":"4.12"}`)
	// Output:
	// 200 15 bytes, room 4.12
}
