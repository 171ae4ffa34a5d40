// Command cedar lets policies decide who may use a resource: a Cedar policy set behind Authorize.
//
// What they do not permit is refused. The handler does not ask them again: a write repeats the condition in its statement.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/cedar-policy/cedar-go"

	"github.com/routeguard/guard"
)

//go:embed documents.cedar
var policies []byte

type User struct{ ID, Department string }

func (u User) Subject() string { return u.ID }

type Document struct{ ID, Owner, Department, State string }

var documents = map[string]*Document{"1": {"1", "ada", "sales", "draft"}, "2": {"2", "ada", "sales", "locked"}, "3": {"3", "ada", "", "draft"}}

type service struct{ policies *cedar.PolicySet }

func (s *service) reads(_ context.Context, u User, id string) (*Document, error) {
	return s.may(u, "read", id)
}
func (s *service) edits(_ context.Context, u User, id string) (*Document, error) {
	return s.may(u, "edit", id)
}

func (s *service) may(u User, action, id string) (*Document, error) {
	d, ok := documents[id]
	if !ok {
		return nil, guard.ErrNotFound
	}
	user, document := cedar.NewEntityUID("User", cedar.String(u.ID)), cedar.NewEntityUID("Document", cedar.String(d.ID))
	owner, act := cedar.NewEntityUID("User", cedar.String(d.Owner)), cedar.NewEntityUID("Action", cedar.String(action))
	decision, why := cedar.Authorize(s.policies, cedar.EntityMap{
		user: {UID: user, Attributes: cedar.NewRecord(cedar.RecordMap{"department": cedar.String(u.Department)})},
		document: {UID: document, Attributes: cedar.NewRecord(cedar.RecordMap{
			"owner": owner, "department": cedar.String(d.Department), "state": cedar.String(d.State)})},
	}, cedar.Request{Principal: user, Action: act, Resource: document})
	if len(why.Errors) > 0 { // a forbid that cannot be evaluated forbids nothing: do not go by the others
		return nil, fmt.Errorf("policies: %v", why.Errors)
	}
	if decision == cedar.Allow {
		return d, nil
	}
	return nil, guard.ErrNotFound
}

func show(_ context.Context, c *guard.Call[User, guard.None, *Document]) (*Document, error) {
	return c.Resource, nil
}

func (s *service) routes(users guard.Authenticator[User], errs *guard.Responder) *guard.Mux {
	mux, perCaller := guard.NewMux(errs), new(guard.Limiter).PerCaller(60, time.Minute)
	mux.Handle("GET /documents/{id}", guard.New(users, guard.NoPayload, guard.Authorize("id", guard.ParseString, s.reads), perCaller, errs, show))
	mux.Handle("POST /documents/{id}/edit", guard.New(users, guard.NoPayload, guard.Authorize("id", guard.ParseString, s.edits), perCaller, errs, show))
	return mux
}

func main() {
	set, err := cedar.NewPolicySetFromBytes("documents.cedar", policies)
	if err != nil {
		log.Fatal(err) // a policy that does not parse stops the start
	}
	signIn := func(context.Context, string) (User, error) { return User{}, guard.ErrNoSession } // your own
	handler := (&service{set}).routes(guard.Bearer(signIn), &guard.Responder{})
	log.Fatal((&http.Server{Addr: "127.0.0.1:8080", Handler: handler, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe())
}
