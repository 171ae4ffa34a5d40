package guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"
	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard"
)

// rig is a service in which one point misbehaves. Every function, method and
// interface that a service can hand to guard is a point: it calls at, which does
// nothing, or what the test has armed.
type rig struct {
	armed atomic.Pointer[injection]
	hits  atomic.Int64

	name   string
	log    *logBuffer
	errs   *guard.Responder
	limits *guard.Limiter
	ledger *ledger
	mux    *guard.Mux
	offset atomic.Int64 // of the service's clock, in nanoseconds

	handled  atomic.Int64
	logged   atomic.Int64                       // records
	hangUp   atomic.Pointer[context.CancelFunc] // of the request under way
	mu       sync.Mutex
	events   []guard.Event
	messages int
}

// injection is a fault at a point.
type injection struct {
	point string
	fault func(s *rig, ctx context.Context) (zero bool, err error)
	write string // what is wrong with the ResponseWriter
}

// at is called wherever code of the service runs. It reports whether the code is
// to return nil or a zero value.
func (s *rig) at(ctx context.Context, point string) (zero bool, err error) {
	if s == nil { // New tries rules on samples
		return false, nil
	}
	in := s.armed.Load()
	if in == nil || in.point != point || in.fault == nil {
		return false, nil
	}
	s.hits.Add(1)
	return in.fault(s, ctx)
}

// value is a point that returns a value and nothing else.
func value[V any](s *rig, point string, v V) V {
	if zero, _ := s.at(context.Background(), point); zero {
		v = *new(V)
	}
	return v
}

// resultAt is a point that returns a value or an error.
func resultAt[V any](ctx context.Context, s *rig, point string, v V) (V, error) {
	zero, err := s.at(ctx, point)
	if zero || err != nil {
		v = *new(V)
	}
	return v, err
}

func (s *rig) now() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }

// rigs finds a rig for the methods of input types, which know nothing but the text.
var (
	rigs     sync.Map
	rigCount atomic.Int64
)

type rigKey struct{}

func rigOf(ctx context.Context) *rig { s, _ := ctx.Value(rigKey{}).(*rig); return s }

func rigNamed(text string) *rig {
	s, _ := rigs.Load(text)
	found, _ := s.(*rig)
	return found
}

// rigInput is an input whose every hook is a point.
type rigInput struct {
	Name string  `json:"name" validate:"required,min=1,rigrule"`
	Text rigText `json:"text"`
	JSON rigJSON `json:"json"`
}

func (rigInput) Validate(ctx context.Context) error {
	_, err := rigOf(ctx).at(ctx, "Validate")
	return err
}

type rigText struct{ name string }

func (r *rigText) UnmarshalText(b []byte) error {
	var err error
	r.name, err = resultAt(context.Background(), rigNamed(string(b)), "UnmarshalText", string(b))
	return err
}

type rigJSON struct{ name string }

func (r *rigJSON) UnmarshalJSON(b []byte) error {
	var err error
	r.name, err = resultAt(context.Background(), rigNamed(strings.Trim(string(b), `"`)), "UnmarshalJSON", string(b))
	return err
}

// rigResult is a result that is a point.
type rigResult struct{ s *rig }

func (r rigResult) MarshalJSON() ([]byte, error) {
	return resultAt(context.Background(), r.s, "MarshalJSON", []byte(`"done"`))
}

// rigUser is a session whose method is a point.
type rigUser struct{ s *rig }

func (u *rigUser) Subject() string { return value(u.s, "Subject", "alice") }

// rigRow is a resource.
type rigRow struct{ ID, Secret string }

type rigCall[S guard.Principal, R any] = guard.Call[S, rigInput, R]

var errDomain = errors.New("domain")

func newRig(t *testing.T, outage guard.Outage, change ...func(*rig)) *rig {
	t.Helper()
	s := &rig{name: fmt.Sprint("rig-", rigCount.Add(1)), log: &logBuffer{}}
	rigs.Store(s.name, s)
	t.Cleanup(func() { rigs.Delete(s.name) })
	s.ledger = &ledger{rig: s, Store: guard.NewMemoryStore(s.now), spent: map[string]int{}}
	s.limits = &guard.Limiter{Store: s.ledger, Outage: outage, Headers: true}
	s.errs = &guard.Responder{
		Log:      slog.New(&rigLog{s.log.logger().Handler(), s}),
		ClientIP: guard.TrustProxies(netip.MustParsePrefix("10.0.0.0/8")),
		Map: func(err error) error {
			if !errors.Is(err, errDomain) {
				return err
			}
			mapped, failed := resultAt(context.Background(), s, "Map", guard.Fail(409, "domain", "Domain."))
			if failed != nil {
				return failed
			}
			return mapped
		},
		Level: func(e guard.Event) slog.Level { return value(s, "Level", guard.DefaultLevel(e)) },
		Observe: func(ctx context.Context, e guard.Event) {
			s.mu.Lock()
			s.events = append(s.events, e)
			s.mu.Unlock()
			_, _ = s.at(ctx, "Observe")
		},
		Message: func(f guard.FieldError) string { return value(s, "Message", f.Message) },
	}
	for _, f := range change {
		f(s)
	}
	s.mux = guard.NewMux(s.errs)
	s.routes(t)
	return s
}

// routes registers a route for each way of answering the five questions.
func (s *rig) routes(t *testing.T) {
	t.Helper()
	session := func(point string) guard.Verifier[*rigUser] {
		return func(ctx context.Context, _ string) (*rigUser, error) { return resultAt(ctx, s, point, &rigUser{s}) }
	}
	v := validator.New(validator.WithRequiredStructEnabled())
	_ = v.RegisterValidationCtx("rigrule", func(ctx context.Context, _ validator.FieldLevel) bool {
		failed, err := rigOf(ctx).at(ctx, "rule")
		return !failed && err == nil
	})
	what := guard.JSONWith[rigInput](guard.Rules(v))
	parse := func(text string) (string, error) { return resultAt(context.Background(), s, "parse", text) }
	row := func(point string) func(context.Context, string) (*rigRow, error) {
		return func(ctx context.Context, id string) (*rigRow, error) {
			if id == "" {
				return nil, guard.ErrNotFound
			}
			return resultAt(ctx, s, point, &rigRow{id, "mark of the resource"})
		}
	}
	owned := guard.Owned("id", parse, row("load"), func(*rigRow, *rigUser) bool { return value(s, "owns", true) })
	within := guard.Within(owned, "child", guard.ParseString, func(ctx context.Context, _ *rigRow, id string) (*rigRow, error) {
		return row("load a child")(ctx, id)
	})
	authorized := guard.Authorize("id", guard.ParseString, func(ctx context.Context, _ *rigUser, id string) (*rigRow, error) {
		return row("authorize")(ctx, id)
	})
	all := guard.FirstOf(guard.Bearer(session("verify a token")), guard.APIKey("X-API-Key", session("verify a key")),
		guard.Cookie("__Host-session", session("verify a cookie")))
	admins := guard.Only(all, func(*rigUser) bool { return value(s, "role", true) })
	cached := guard.Bearer(guard.Cached(session("verify and remember"), guard.Cache{Good: time.Minute, Bad: time.Minute}).Verify)
	message, err := guard.Signed(guard.Webhook{Secrets: []string{webhookSecret}, Replay: &rigReplay{rig: s, states: map[string]guard.ReplayState{}}, Now: s.now})
	if err != nil {
		t.Fatal(err)
	}

	s.mux.Handle("POST /typed/{id}", rigRoute(s, admins, what, owned))
	s.mux.Handle("POST /within/{id}/{child}", rigRoute(s, all, what, within))
	s.mux.Handle("POST /authorize/{id}", rigRoute(s, all, what, authorized))
	s.mux.Handle("POST /cached", rigRoute(s, cached, what, guard.NoResource))
	s.mux.Handle("POST /jwt", rigRoute(s, guard.Bearer(guard.SessionFrom(s.tokens(t), func(ctx context.Context, _ guard.Claims) (*rigUser, error) {
		return session("session of a token")(ctx, "")
	})), what, guard.NoResource))
	s.mux.Handle("POST /message", rigRoute(s, message, what, guard.NoResource))
	s.mux.Handle("POST /owned", guard.New(all, what, guard.NoResource, rigLimits[*rigUser](s), s.errs, guard.OwnedInput(
		func(in rigInput) string { return value(s, "id of the input", in.Name) }, row("load by input"),
		func(*rigRow, *rigUser) bool { return value(s, "owns by input", true) }, rigHandler[*rigUser, *rigRow](s))))
	s.mux.Handle("POST /stream", guard.New(all, what, guard.NoResource, rigLimits[*rigUser](s), s.errs,
		guard.Stream(func(ctx context.Context, c *rigCall[*rigUser, guard.None], w http.ResponseWriter) error {
			s.begin(&c.Cost)
			if _, err := s.at(ctx, "stream"); err != nil {
				return err
			}
			_, err := io.WriteString(w, "done")
			return err
		})))
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.handled.Add(1)
		if c, ok := guard.CallOf[*rigUser, rigInput, guard.None](r.Context()); ok {
			c.Cost = 1
		}
		_, _ = s.at(r.Context(), "http.Handler")
		if _, err := io.WriteString(w, "done"); err != nil {
			panic(http.ErrAbortHandler) // as net/http says
		}
	})
	s.mux.Handle("POST /wrap", guard.Wrap(all, what, guard.NoResource, rigLimits[*rigUser](s), s.errs, plain))
	s.mux.Unguarded("POST /unguarded", "test", plain)
	s.mux.Handle("POST /domain", guard.New(all, what, guard.NoResource, rigLimits[*rigUser](s), s.errs,
		func(_ context.Context, c *rigCall[*rigUser, guard.None]) (guard.None, error) {
			s.begin(&c.Cost)
			return guard.None{}, errDomain
		}))
}

func rigRoute[S guard.Principal, R any](s *rig, who guard.Authenticator[S], what func() guard.Decoder[rigInput], which func() guard.Authorizer[S, R]) *guard.Guard[rigInput] {
	return guard.New(who, what, which, rigLimits[S](s), s.errs, guard.After(rigHandler[S, R](s),
		func(ctx context.Context, _ *rigCall[S, R], _ any) error { _, err := s.at(ctx, "hook"); return err }))
}

// begin notes that the handler runs, and says what the request has really cost.
func (s *rig) begin(cost *int) {
	s.handled.Add(1)
	*cost = 1
}

func rigHandler[S guard.Principal, R any](s *rig) func(context.Context, *rigCall[S, R]) (any, error) {
	return func(ctx context.Context, c *rigCall[S, R]) (any, error) {
		s.begin(&c.Cost)
		return resultAt[any](ctx, s, "handler", rigResult{s})
	}
}

// rigLimits has a limit of each kind in each stage.
func rigLimits[S guard.Principal](s *rig) guard.Limit {
	l := s.limits
	return guard.And(
		l.InFlight(1).Named("places"),
		l.Global(10, time.Hour).Named("failures").OnFailure(),
		guard.PerKey(l, func(S, *http.Request) string { return value(s, "key of a caller", "k") }, 10, time.Hour).Named("caller"),
		guard.PerInput(l, func(rigInput) string { return value(s, "key of an input", "k") }, 10, time.Hour).Named("input"),
		guard.CostOf(l.Global(30, time.Hour).Named("cost"), func(rigInput) int { return value(s, "cost", 3) }))
}

var rigSecret = []byte("a secret of the tests that is long enough")

func (s *rig) tokens(t *testing.T) *guard.JWTVerifier {
	t.Helper()
	v, err := guard.NewJWT(guard.JWT{Issuer: "i", Audience: []string{"a"}, Algorithms: []string{"HS256"}, CacheSize: -1, Now: s.now,
		Keyfunc: func(*jwt.Token) (any, error) { return resultAt[any](context.Background(), s, "find a key", rigSecret) }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (s *rig) token(t *testing.T) string {
	t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "i", "aud": "a", "sub": "alice",
		"exp": s.now().Add(time.Hour).Unix()}).SignedString(rigSecret)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// ServeHTTP puts the faults of the surroundings around the mux: the body, the
// ResponseWriter, the context.
func (s *rig) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, hangUp := context.WithCancel(context.WithValue(r.Context(), rigKey{}, s))
	defer hangUp()
	s.hangUp.Store(&hangUp)
	r = r.WithContext(ctx)
	r.Body = &rigBody{ReadCloser: r.Body, s: s}
	_, _ = s.at(ctx, "the request")
	if in := s.armed.Load(); in != nil && in.write != "" {
		w = &rigWriter{ResponseWriter: w, fails: in.write}
	}
	s.mux.ServeHTTP(w, r)
}

// rigBody is a body whose Read is a point.
type rigBody struct {
	io.ReadCloser
	s *rig
}

func (b *rigBody) Read(p []byte) (int, error) {
	if zero, err := b.s.at(context.Background(), "body"); zero || err != nil {
		return 0, err
	}
	return b.ReadCloser.Read(p)
}

// rigWriter is a ResponseWriter that fails after the first byte.
type rigWriter struct {
	http.ResponseWriter
	fails string
}

func (w *rigWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *rigWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b[:min(len(b), 1)])
	if w.fails == "panic" {
		panic("connection lost, s3cret")
	}
	return n, errors.Join(err, errors.New("connection lost, s3cret"))
}

// ledger is a shared store that keeps books, and a point.
type ledger struct {
	guard.Store
	rig    *rig
	mu     sync.Mutex
	spent  map[string]int // by the limit's name
	places int
}

func (l *ledger) Take(ctx context.Context, charges []guard.Charge, out []guard.Decision) (bool, error) {
	point := map[string]string{"failures": "Take", "caller": "Take for a caller"}[charges[0].Limit]
	if point == "" {
		point = "Take for an input"
	}
	if zero, err := l.rig.at(ctx, point); zero || err != nil {
		return zero, err // that it is all right, and for no bucket
	}
	ok, err := l.Store.Take(ctx, charges, out)
	if ok {
		l.book(charges, 1)
	}
	return ok, err
}

func (l *ledger) Refund(ctx context.Context, charges []guard.Charge) error {
	if _, err := l.rig.at(ctx, "Refund"); err != nil {
		return err
	}
	l.book(charges, -1)
	return l.Store.Refund(ctx, charges)
}

func (l *ledger) book(charges []guard.Charge, sign int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range charges {
		l.spent[c.Limit] += sign * c.Cost
	}
}

func (l *ledger) Acquire(ctx context.Context, c guard.Charge, most int, ttl time.Duration) (func(), bool, error) {
	if zero, err := l.rig.at(ctx, "Acquire"); zero || err != nil {
		return nil, false, err
	}
	release, ok, err := l.Store.Acquire(ctx, c, most, ttl)
	if !ok {
		return release, ok, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.places++
	return func() {
		release()
		l.mu.Lock()
		l.places--
		l.mu.Unlock()
		_, _ = l.rig.at(context.Background(), "release")
	}, ok, err
}

func (l *ledger) balance(limit string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit == "places" {
		return l.places
	}
	return l.spent[limit]
}

// rigLog is a log handler that is a point.
type rigLog struct {
	slog.Handler
	rig *rig
}

func (l *rigLog) Handle(ctx context.Context, r slog.Record) error {
	l.rig.logged.Add(1)
	_, err := l.rig.at(ctx, "Log")
	return errors.Join(err, l.Handler.Handle(ctx, r))
}

// rigReplay is a ReplayStore whose methods are points.
type rigReplay struct {
	rig    *rig
	mu     sync.Mutex
	states map[string]guard.ReplayState
}

func (r *rigReplay) Claim(ctx context.Context, key, _ string, _ time.Duration) (guard.ReplayState, error) {
	if zero, err := r.rig.at(ctx, "Claim"); zero || err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if was := r.states[key]; was != 0 {
		return was, nil
	}
	r.states[key] = guard.ReplayRunning
	return guard.ReplayClaimed, nil
}

func (r *rigReplay) Done(ctx context.Context, key string, _ time.Duration) error {
	r.mu.Lock()
	r.states[key] = guard.ReplayDelivered
	r.mu.Unlock()
	_, err := r.rig.at(ctx, "Done")
	return err
}

func (r *rigReplay) Release(ctx context.Context, key, _ string) error {
	r.mu.Lock()
	delete(r.states, key)
	r.mu.Unlock()
	_, err := r.rig.at(ctx, "Release")
	return err
}

// pipeServer is an http.Server that needs no network, so that its time is the
// bubble's.
type pipeServer struct {
	server http.Server
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
	own    logBuffer // the server's
	client http.Client
}

func newPipeServer(h http.Handler) *pipeServer {
	p := &pipeServer{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.server = http.Server{Handler: h, DisableGeneralOptionsHandler: true, ErrorLog: log.New(&p.own, "", 0)}
	p.client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return p.dial() }}
	go func() { _ = p.server.Serve(p) }()
	return p
}

func (p *pipeServer) dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- &addressed{there}:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Accept, Close and Addr make it a net.Listener.
func (p *pipeServer) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipeServer) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipeServer) Addr() net.Addr { return proxyAddr }

func (p *pipeServer) log() string { return p.own.String() }

func (p *pipeServer) shutDown() {
	p.client.CloseIdleConnections()
	_ = p.server.Close()
	time.Sleep(time.Hour) // of the bubble's time: what is still there then is a leak
}

// addressed is one end of a pipe that seems to come from a trusted proxy.
type addressed struct{ net.Conn }

var proxyAddr = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.1:1"))

func (addressed) RemoteAddr() net.Addr { return proxyAddr }
