package unguarded

import (
	"context"
	"net/http"

	"example.com/service/app"
	"example.com/service/wiring"
	"github.com/go-chi/chi/v5"
	"github.com/routeguard/guard"
)

func hello(context.Context, *guard.Call[app.User, guard.None, guard.None]) (guard.None, error) {
	return guard.None{}, nil
}

func plain(http.ResponseWriter, *http.Request) {}

func logged(h http.Handler) http.Handler { return h }

func prefer(a, b http.Handler) http.Handler { return a }

type embedsGuard struct{ *guard.Mux }

type embedsMux struct{ *http.ServeMux }

type other struct{}

func (other) Handle(string, http.Handler) {}

func good() {
	users := guard.Bearer(app.Verify)
	g := guard.New(users, guard.NoPayload, guard.NoResource, app.Slow, app.Errs, hello)
	mux := guard.NewMux(app.Errs)
	mux.Handle("GET /hello", g)
	mux.Unguarded("GET /healthz", "liveness probe", http.HandlerFunc(plain))

	var known http.Handler = g
	var h http.Handler = guard.Wrap(users, guard.NoPayload, guard.NoResource, app.Slow, app.Errs, http.HandlerFunc(plain))
	http.Handle("/a", g)
	http.Handle("/b", mux)
	http.Handle("/c", known)
	http.Handle("/d", h)
	http.Handle("/e", logged(g))
	http.Handle("/f", http.StripPrefix("/f", logged(mux)))
	http.HandleFunc("/g", g.ServeHTTP)
	http.Handle("/h", http.HandlerFunc(g.ServeHTTP))
	http.Handle("/i", embedsGuard{mux})
	http.Handle("/j", wiring.Guarded())
	http.Handle("/k", inThisPackage(mux))
	built, err := wiring.Build()
	if err != nil {
		return
	}
	http.Handle("/l", built)

	sub := http.NewServeMux()
	sub.Handle("/m", g)
	http.Handle("/sub/", sub)

	r := chi.NewRouter()
	r.Method("GET", "/n", g)
	r.Get("/o", g.ServeHTTP)
	r.Mount("/api", mux)
	r.Route("/v1", func(r chi.Router) { r.Handle("/p", g) })
	r.NotFound(plain)
	http.Handle("/", r)
	http.Handle("/q", middlewareThatMayAnswer(g)) // what middleware does is not judged
	other{}.Handle("/", http.HandlerFunc(plain))
}

func inThisPackage(m *guard.Mux) http.Handler {
	if m == nil {
		return nil
	}
	return logged(m)
}

func exempt(mux *http.ServeMux) {
	//guard:unguarded liveness probe
	mux.HandleFunc("GET /healthz", plain)
	mux.HandleFunc("GET /readyz", plain) //guard:unguarded readiness probe
	//guard:allow unguarded static files
	mux.Handle("GET /static/",
		http.FileServer(http.Dir("static")))
}

func bad(unknown http.Handler) {
	g := guard.New(guard.Bearer(app.Verify), guard.NoPayload, guard.NoResource, app.Slow, app.Errs, hello)
	http.HandleFunc("/a", plain) // want `the handler of "/a" is not known to be guarded`
	mux := http.NewServeMux()
	mux.Handle("/b", http.HandlerFunc(plain))            // want `the handler of "/b"`
	mux.Handle("/c", unknown)                            // want `the handler of "/c"`
	mux.Handle("/d", logged(http.HandlerFunc(plain)))    // want `the handler of "/d"`
	mux.Handle("/e", prefer(g, http.HandlerFunc(plain))) // want `the handler of "/e"`
	mux.Handle("/f", wiring.Sometimes(true))             // want `the handler of "/f"`
	register := mux.HandleFunc
	register("/h", plain)                             // want `the handler of "/h"`
	embedsMux{mux}.HandleFunc("/i", plain)            // want `the handler of "/i"`
	http.DefaultServeMux.HandleFunc(pattern(), plain) // want `the handler of a pattern`

	twice := http.Handler(g)
	twice = unknown
	mux.Handle("/j", twice) // want `the handler of "/j"`

	r := chi.NewRouter()
	r.Get("/k", plain)                     // want `the handler of "/k"`
	r.Method("GET", "/l", unknown)         // want `the handler of "/l"`
	r.MethodFunc("GET", "/m", plain)       // want `the handler of "/m"`
	r.Mount("/n", http.HandlerFunc(plain)) // want `the handler of "/n"`
	r.With(logged).Post("/o", plain)       // want `the handler of "/o"`
	r.Route("/v1", func(r chi.Router) {
		r.Delete("/p", plain) // want `the handler of "/p"`
	})

	//guard:unguarded
	mux.HandleFunc("/q", plain) // want `the handler of "/q"`
	//guard:allow errleak it is another check
	mux.HandleFunc("/r", plain) // want `the handler of "/r"`

	//guard:unguarded a comment two lines above is about something else

	mux.HandleFunc("/s", plain) // want `the handler of "/s"`
}

func middlewareThatMayAnswer(g http.Handler) http.Handler {
	if g == nil {
		return http.HandlerFunc(plain)
	}
	return g
}

func pattern() string { return "/" }
