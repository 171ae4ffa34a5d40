package guard_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/routeguard/guard"
)

// The examples share a service, as users of the library would write it: User,
// Project, UpdateProject and their methods stand in guard_test.go.
var (
	app     = &service{}
	nothing = slog.New(slog.DiscardHandler)

	members    = guard.FirstOf(guard.Bearer(app.verify), guard.Cookie("__Host-session", app.verify))
	ownProject = guard.Owned("projectID", guard.ParseUUID, app.project, (*Project).OwnedBy)
	limits     = &guard.Limiter{}
	errs       = &guard.Responder{Log: nothing}
)

// show sends a request and prints status and body, without the request id.
func show(h http.Handler, method, target, body string, fields ...string) {
	r := send(h, method, target, body, fields...)
	b, _ := io.ReadAll(r.Body)
	text := strings.ReplaceAll(string(b), r.Header.Get("X-Request-ID"), "…")
	fmt.Println(strings.TrimSpace(fmt.Sprint(r.StatusCode, " ", text)))
}

// A route is five answers and a handler.
func ExampleNew() {
	mux := guard.NewMux(errs)
	mux.Handle("PATCH /projects/{projectID}", guard.New(
		members,                           // who is calling
		guard.JSON[UpdateProject],         // what payload is allowed
		ownProject,                        // which resource is touched
		limits.PerCaller(10, time.Minute), // what abuse controls exist
		errs,                              // what the caller learns on failure
		guard.After(app.updateProject, app.dropCached),
	))

	const mine, missing = "/projects/0198f000-0000-7000-8000-00000000a11c", "/projects/0198f000-0000-7000-8000-00000000dead"
	show(mux, "PATCH", mine, `{"name":"Renamed"}`, "Authorization: Bearer alice-token")
	show(mux, "PATCH", mine, `{"name":"x"}`, "Authorization: Bearer alice-token")
	show(mux, "PATCH", mine, `{"name":"Renamed"}`, "Authorization: Bearer bob-token")
	show(mux, "PATCH", missing, `{"name":"Renamed"}`, "Authorization: Bearer alice-token")
	show(mux, "PATCH", mine, `{"name":"Renamed"}`)
	// Output:
	// 200 {"id":"0198f000-0000-7000-8000-00000000a11c","name":"Renamed"}
	// 400 {"type":"about:blank","title":"Invalid request body.","status":400,"code":"invalid_body","requestId":"…","errors":[{"pointer":"/name","code":"min","message":"must be at least 3 characters"}]}
	// 404 {"type":"about:blank","title":"Not found.","status":404,"code":"not_found","requestId":"…"}
	// 404 {"type":"about:blank","title":"Not found.","status":404,"code":"not_found","requestId":"…"}
	// 401 {"type":"about:blank","title":"Authentication required.","status":401,"code":"unauthenticated","requestId":"…"}
}

// A token and a cookie name sessions of the same type. A bad token is not covered
// by a good cookie.
func ExampleFirstOf() {
	who := guard.FirstOf(guard.Bearer(app.verify), guard.Cookie("__Host-session", app.verify))
	h := guard.New(who, guard.NoPayload, guard.NoResource, guard.Unlimited("example"), errs,
		func(_ context.Context, c *guard.Call[User, guard.None, guard.None]) (string, error) {
			return c.Caller.ID, nil
		})

	show(h, "GET", "/", "", "Cookie: __Host-session=alice-token")
	show(h, "GET", "/", "", "Cookie: __Host-session=alice-token", "Authorization: Bearer forged")
	// Output:
	// 200 "alice"
	// 401 {"type":"about:blank","title":"Authentication required.","status":401,"code":"unauthenticated","requestId":"…"}
}

// A role narrows who is calling. It comes from the session, never from the request.
func ExampleOnly_role() {
	admins := guard.Only(members, User.IsAdmin)
	mux := guard.NewMux(errs)
	mux.Handle("POST /admin/users/{userID}/role", guard.New(
		admins, guard.JSON[SetRole], guard.NoResource, limits.PerCaller(30, time.Minute), errs, app.setRole))

	show(mux, "POST", "/admin/users/bob/role", `{"role":"admin"}`, "Authorization: Bearer admin-token")
	show(mux, "POST", "/admin/users/bob/role", `{"role":"admin"}`, "Authorization: Bearer bob-token")
	// Output:
	// 204
	// 403 {"type":"about:blank","title":"You are not allowed to do this.","status":403,"code":"forbidden","requestId":"…"}
}

// Owned loads the row that the path names and compares its owner with the caller.
// The handler gets that row in c.Resource.
func ExampleOwned() {
	ownProject := guard.Owned("projectID", guard.ParseUUID,
		func(ctx context.Context, id uuid.UUID) (*Project, error) { return app.project(ctx, id) },
		func(p *Project, caller User) bool { return p.OwnerID == caller.ID })
	mux := guard.NewMux(errs)
	mux.Handle("GET /projects/{projectID}", guard.New(members, guard.NoPayload, ownProject, limits.PerCaller(60, time.Minute), errs,
		func(_ context.Context, c *guard.Call[User, guard.None, *Project]) (string, error) {
			return c.Resource.Name, nil
		}))

	show(mux, "GET", "/projects/0198f000-0000-7000-8000-00000000a11c", "", "Authorization: Bearer alice-token")
	show(mux, "GET", "/projects/0198f000-0000-7000-8000-000000000b0b", "", "Authorization: Bearer alice-token")
	// Output:
	// 200 "Alice's"
	// 404 {"type":"about:blank","title":"Not found.","status":404,"code":"not_found","requestId":"…"}
}

// A child is looked for within a parent that the caller owns.
func ExampleWithin() {
	mux := guard.NewMux(errs)
	mux.Handle("GET /projects/{projectID}/tasks/{taskID}", guard.New(
		members, guard.NoPayload, guard.Within(ownProject, "taskID", guard.ParseUUID, app.taskIn),
		limits.PerCaller(60, time.Minute), errs, app.task))

	const bobs = "/tasks/0198f000-0000-7000-8000-00000000b0b7"
	show(mux, "GET", "/projects/0198f000-0000-7000-8000-00000000a11c"+bobs, "", "Authorization: Bearer alice-token")
	show(mux, "GET", "/projects/0198f000-0000-7000-8000-000000000b0b"+bobs, "", "Authorization: Bearer bob-token")
	// Output:
	// 404 {"type":"about:blank","title":"Not found.","status":404,"code":"not_found","requestId":"…"}
	// 200 {"id":"0198f000-0000-7000-8000-00000000b0b7","name":"task"}
}

// A function of the service decides where ownership is not the rule.
func ExampleAuthorize() {
	shared := map[string]string{"roadmap": "bob"}
	readable := guard.Authorize("name", guard.ParseString, func(_ context.Context, caller User, name string) (string, error) {
		if shared[name] != caller.ID {
			return "", guard.ErrNotFound
		}
		return "The " + name, nil
	})
	mux := guard.NewMux(errs)
	mux.Handle("GET /documents/{name}", guard.New(members, guard.NoPayload, readable, limits.PerCaller(60, time.Minute), errs,
		func(_ context.Context, c *guard.Call[User, guard.None, string]) (string, error) {
			return c.Resource, nil
		}))

	show(mux, "GET", "/documents/roadmap", "", "Authorization: Bearer bob-token")
	show(mux, "GET", "/documents/roadmap", "", "Authorization: Bearer alice-token")
	// Output:
	// 200 "The roadmap"
	// 404 {"type":"about:blank","title":"Not found.","status":404,"code":"not_found","requestId":"…"}
}

// The id of the resource stands in the body. It is checked before the handler runs.
func ExampleOwnedInput() {
	move := func(_ context.Context, c *guard.Call[User, MoveTask, *Project]) (string, error) {
		return "moved to " + c.Resource.Name, nil
	}
	mux := guard.NewMux(errs)
	mux.Handle("POST /move", guard.New(members, guard.JSON[MoveTask], guard.NoResource, limits.PerCaller(10, time.Minute), errs,
		guard.OwnedInput(MoveTask.target, app.project, (*Project).OwnedBy, move)))

	show(mux, "POST", "/move", `{"project":"0198f000-0000-7000-8000-00000000a11c"}`, "Authorization: Bearer alice-token")
	show(mux, "POST", "/move", `{"project":"0198f000-0000-7000-8000-000000000b0b"}`, "Authorization: Bearer alice-token")
	// Output:
	// 200 "moved to Alice's"
	// 404 {"type":"about:blank","title":"Not found.","status":404,"code":"not_found","requestId":"…"}
}

// A hook runs when the handler has succeeded. Its failure does not change the reply.
func ExampleAfter() {
	create := func(context.Context, *guard.Call[User, guard.None, guard.None]) (guard.Reply[string], error) {
		return guard.Created("/projects/7", "created"), nil
	}
	invalidate := func(_ context.Context, c *guard.Call[User, guard.None, guard.None], _ guard.Reply[string]) error {
		fmt.Println("drop the list of", c.Caller.ID)
		return nil
	}
	h := guard.New(members, guard.NoPayload, guard.NoResource, guard.Unlimited("example"), errs, guard.After(create, invalidate))

	show(h, "POST", "/projects", "", "Authorization: Bearer alice-token")
	// Output:
	// drop the list of alice
	// 201 "created"
}

// A stream writes as it goes on.
func ExampleStream() {
	events := func(ctx context.Context, c *guard.Call[User, guard.None, guard.None], w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 2 {
			fmt.Fprintf(w, "data: %d for %s\n\n", i, c.Caller.ID)
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	h := guard.New(members, guard.NoPayload, guard.NoResource, guard.Unlimited("example"), errs, guard.Stream(events))

	show(h, "GET", "/events", "", "Authorization: Bearer alice-token")
	// Output:
	// 200 data: 0 for alice
	//
	// data: 1 for alice
}

// An existing handler stays as it is. It finds its Call where it wants it.
func ExampleWrap_resource() {
	old := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := guard.CallOf[User, guard.None, *Project](r.Context())
		fmt.Fprintf(w, "%s sees %s, credential %q", c.Caller.ID, c.Resource.Name, r.Header.Get("Authorization"))
	})
	mux := guard.NewMux(errs)
	mux.Handle("GET /projects/{projectID}", guard.Wrap(members, guard.NoPayload, ownProject, limits.PerCaller(60, time.Minute), errs, old))

	show(mux, "GET", "/projects/0198f000-0000-7000-8000-00000000a11c", "", "Authorization: Bearer alice-token")
	// Output:
	// 200 alice sees Alice's, credential ""
}

// Map makes the domain errors of a service public, in one place.
func ExampleResponder() {
	errArchived := fmt.Errorf("store: project is archived")
	errs := &guard.Responder{
		Log:    nothing,
		Format: guard.ErrorObject,
		Map: func(err error) error {
			if err == errArchived {
				return guard.Fail(http.StatusConflict, "archived", "The project is archived.")
			}
			return err
		},
	}
	h := guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("example"), errs,
		func(context.Context, *guard.Call[guard.Anonymous, guard.None, guard.None]) (string, error) {
			return "", errArchived
		})

	show(h, "GET", "/", "")
	// Output:
	// 409 {"error":"The project is archived.","code":"archived","requestId":"…"}
}

// The address of a client is what a trusted proxy says, and nobody else.
func ExampleTrustProxies() {
	proxies, err := guard.ParsePrefixes("10.0.0.0/8, 192.168.1.1") // from the environment
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	errs := &guard.Responder{Log: nothing, ClientIP: guard.TrustProxies(proxies...)}
	h := guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limits.PerIP(60, time.Minute), errs,
		func(_ context.Context, c *guard.Call[guard.Anonymous, guard.None, guard.None]) (string, error) {
			return c.ClientIP.String(), nil
		})

	show(h, "GET", "/", "", "Remote: 10.1.2.3:5000", "X-Forwarded-For: 198.51.100.7, 203.0.113.9")
	show(h, "GET", "/", "", "Remote: 192.0.2.1:5000", "X-Forwarded-For: 198.51.100.7, 203.0.113.9")
	// Output:
	// 200 "203.0.113.9"
	// 200 "192.0.2.1"
}

// The claims of a token become the service's own session on every request.
func ExampleSessionFrom() {
	tokens, err := guard.NewJWT(guard.JWT{
		Issuer: "https://login.example", Audience: []string{"projects"},
		Algorithms: []string{"HS256"}, Key: []byte("an example key of at least 32 bytes"),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	members := guard.Bearer(guard.SessionFrom(tokens, func(_ context.Context, c guard.Claims) (User, error) {
		if c.Subject != "alice" { // a real service asks its database: is the account there, and active?
			return User{}, guard.ErrNoSession
		}
		return User{ID: c.Subject, Role: "member"}, nil
	}))
	h := guard.New(members, guard.NoPayload, guard.NoResource, guard.Unlimited("example"), errs,
		func(_ context.Context, c *guard.Call[User, guard.None, guard.None]) (string, error) {
			return c.Caller.ID, nil
		})

	good, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "https://login.example", "aud": "projects", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte("an example key of at least 32 bytes"))
	show(h, "GET", "/", "", "Authorization: Bearer "+good)
	show(h, "GET", "/", "", "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.")
	// Output:
	// 200 "alice"
	// 401 {"type":"about:blank","title":"Authentication required.","status":401,"code":"unauthenticated","requestId":"…"}
}

// A handler is tested without HTTP: a Call is a plain struct.
func ExampleCall() {
	name := "Renamed"
	view, err := app.updateProject(context.Background(), &guard.Call[User, UpdateProject, *Project]{
		Caller:   User{ID: "alice"},
		Input:    UpdateProject{Name: &name},
		Resource: &Project{ID: aliceProject, OwnerID: "alice", Name: "Old"},
	})
	fmt.Println(view.Name, err)
	// Output: Renamed <nil>
}

// A Guard is an http.Handler. Other muxes that set r.PathValue work, too.
func ExampleGuard() {
	mux := http.NewServeMux()
	mux.Handle("GET /projects/{projectID}", guard.New(members, guard.NoPayload, ownProject, limits.PerCaller(60, time.Minute), errs,
		func(_ context.Context, c *guard.Call[User, guard.None, *Project]) (string, error) {
			return c.Resource.Name, nil
		}))
	server := httptest.NewServer(mux)
	defer server.Close()

	r, _ := http.NewRequest("GET", server.URL+"/projects/0198f000-0000-7000-8000-00000000a11c", nil)
	r.Header.Set("Authorization", "Bearer alice-token")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	b, _ := io.ReadAll(response.Body)
	fmt.Print(response.Status, " ", string(b))
	// Output: 200 OK "Alice's"
}

// The checklist shows the five answers of every route to a reviewer.
func ExampleMux_Routes() {
	mux := guard.NewMux(errs)
	mux.Handle("PATCH /projects/{projectID}", guard.New(members, guard.JSON[UpdateProject], ownProject,
		limits.PerCaller(10, time.Minute), errs, guard.After(app.updateProject, app.dropCached)))
	for _, r := range mux.Routes() {
		fmt.Println(r.Pattern, "|", r.Who, "|", r.Which, "|", r.Limits, "|", r.After)
	}
	// Output:
	// PATCH /projects/{projectID} | bearer|cookie | {projectID} Owned Project.OwnedBy | 10/1m per caller | [service.dropCached]
}
