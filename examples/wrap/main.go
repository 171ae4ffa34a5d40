// Command wrap puts one handler of an old service behind a guard. The handler, its path and the other routes stay as they are.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/routeguard/guard"
)

// Caller is the session of this example.
type Caller struct{ ID string }

// Subject is the caller's identity.
func (c Caller) Subject() string { return c.ID }

// Album is what callers own.
type Album struct{ ID, Owner, Title string }

// OwnedBy reports whether an album is the caller's.
func (a Album) OwnedBy(c Caller) bool { return a.Owner == c.ID }

// Rename says what the old handler may be sent.
type Rename struct {
	Title string `json:"title" validate:"required,max=80,single_line"`
}

type service struct {
	mu     sync.Mutex
	albums map[string]Album
}

func (s *service) album(_ context.Context, id string) (Album, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.albums[id], nil // a zero Album is a 404
}

// rename is the old handler: it parses for itself and changes what the path names. New in it is the question with CallOf.
func (s *service) rename(w http.ResponseWriter, r *http.Request) {
	var body struct{ Title string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.albums[r.PathValue("id")]
	if c, ok := guard.CallOf[Caller, Rename, Album](r.Context()); ok && !a.OwnedBy(c.Caller) {
		http.Error(w, "not found", http.StatusNotFound) // it has changed hands since the guard looked
		return
	}
	a.Title = body.Title
	s.albums[a.ID] = a
	fmt.Fprintf(w, "renamed, %d bytes, credential %q\n", r.ContentLength, r.Header.Get("Authorization"))
}

func (s *service) version(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "1.4") }

func (s *service) routes(who guard.Authenticator[Caller], errs *guard.Responder) http.Handler {
	limits, ownAlbum := &guard.Limiter{}, guard.Owned("id", guard.ParseString, s.album, Album.OwnedBy)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", s.version) //guard:unguarded public, and reads nothing
	mux.Handle("PUT /albums/{id}", guard.Wrap(
		who, guard.JSON[Rename], ownAlbum, limits.PerCaller(5, time.Minute), errs, http.HandlerFunc(s.rename)))
	return mux
}

func main() {
	s := &service{albums: map[string]Album{"1": {"1", "ada", "Summer"}}}
	users := guard.Bearer(func(context.Context, string) (Caller, error) { return Caller{}, guard.ErrNoSession }) // the old sign-in
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: s.routes(users, &guard.Responder{}), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
