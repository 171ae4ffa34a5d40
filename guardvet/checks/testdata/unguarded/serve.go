package unguarded

import (
	"encoding/json"
	"fmt"
	"net/http"

	"example.com/service/app"
	"github.com/routeguard/guard"
)

func goodServers(given http.Handler) {
	mux := guard.NewMux(app.Errs)
	_ = http.ListenAndServe(":1", mux)
	_ = http.ListenAndServe(":2", given)
	_ = http.ListenAndServe(":3", logged(mux))
	_ = http.ListenAndServe(":4", http.HandlerFunc(mux.ServeHTTP))
	_ = &http.Server{Addr: ":5", Handler: mux}
	_ = &http.Server{Addr: ":6"}
	//guard:unguarded for operators, on a port of their own
	_ = http.ListenAndServe("localhost:6060", nil)
}

func badServers() {
	_ = http.ListenAndServe(":1", nil)                            // want `nil serves http.DefaultServeMux`
	_ = http.ListenAndServeTLS(":2", "c", "k", nil)               // want `nil serves http.DefaultServeMux`
	_ = http.ListenAndServe(":3", http.HandlerFunc(plain))        // want `a function is served without a guard`
	_ = &http.Server{Addr: ":4", Handler: nil}                    // want `nil serves http.DefaultServeMux`
	_ = http.Server{Addr: ":5", Handler: http.HandlerFunc(plain)} // want `a function is served without a guard`
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	_ = http.Serve(nil, handler) // want `a function is served without a guard`
}

func goodMiddleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if r.ContentLength > 1 {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		w.Header().Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}

func badMiddleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/internal/state" {
			_ = json.NewEncoder(w).Encode(next) // want `this answers in front of the guard`
			return
		}
		next.ServeHTTP(w, r)
	})
}

type wrapped struct{ next http.Handler }

func (h wrapped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/version" {
		fmt.Fprintln(w, "1") // want `this answers in front of the guard`
		return
	}
	h.next.ServeHTTP(w, r)
}

// A handler that passes nothing on is judged where it is registered.
func answers(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) }
