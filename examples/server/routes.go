package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/password"
	"github.com/routeguard/guard/examples/server/store"
	"github.com/routeguard/guard/redisstore"
)

const sessionCookie guard.SessionCookie = "__Host-session"

// app has what the handlers need.
type app struct {
	store     *store.Store
	passwords *password.Hasher
	tokens    signer
	searches  searchCache
	shared    *redisstore.Store // nil: this instance is by itself
	completer completer
	tracing   *tracing // nil: off
	stopping  atomic.Bool
}

// routes puts every handler behind its five answers.
func (a *app) routes(cfg config, log *slog.Logger) (*guard.Mux, error) {
	sessions, metrics := sessions{a.store}, newMetrics()
	tokens, err := guard.NewJWT(cfg.tokenRules())
	if err != nil {
		return nil, err
	}
	billing, err := guard.Signed(cfg.billingSender(a.shared))
	if err != nil {
		return nil, err
	}
	verify := guard.SessionFrom(tokens, sessions.fromToken)
	users := guard.AllowOrigins(cfg.origins, guard.FirstOf(
		guard.Bearer(verify), guard.APIKey("X-API-Key", sessions.fromAPIKey), guard.Cookie(sessionCookie, verify)))
	admins := guard.Only(users, (*Session).IsAdmin)
	ownProject := guard.Owned("projectID", guard.ParseUUID, a.store.Project, ownedBy)
	limits := cfg.limiter(a.shared)
	perCaller := limits.PerCaller(cfg.callerLimit, time.Minute)
	errs := &guard.Responder{Log: log, ClientIP: guard.TrustProxies(cfg.proxies...), Map: publicError, Observe: observe(metrics)}

	anyone := guard.AllowOrigins(cfg.origins, guard.Anyone)
	signedIn := guard.Only(users, (*Session).IsSignedIn)

	mux := guard.NewMux(errs)
	if cfg.canSignIn() {
		mux.Handle("POST /login", guard.New(
			anyone, guard.JSON[Login], guard.NoResource, loginLimits(limits), errs, a.login))
	}
	mux.Handle("POST /logout", guard.New(
		signedIn, guard.NoPayload, guard.NoResource, perCaller, errs, a.logout))
	mux.Handle("GET /me", guard.New(
		users, guard.NoPayload, guard.NoResource, perCaller, errs, a.me))

	mux.Handle("GET /projects", guard.New(
		users, guard.Query[ListProjects], guard.NoResource, perCaller, errs, a.listProjects))
	mux.Handle("POST /projects", guard.New(
		users, guard.JSON[CreateProject], guard.NoResource, perCaller, errs, guard.After(a.createProject, a.afterCreate)))
	mux.Handle("GET /projects/{projectID}", guard.New(
		users, guard.NoPayload, ownProject, perCaller, errs, a.project))
	mux.Handle("PATCH /projects/{projectID}", guard.New(
		users,                     // who is calling
		guard.JSON[UpdateProject], // what payload is allowed
		ownProject,                // which resource is touched
		perCaller,                 // what abuse controls exist
		errs,                      // what the caller learns on failure
		guard.After(a.updateProject, a.afterUpdate)))
	mux.Handle("DELETE /projects/{projectID}", guard.New(
		users, guard.NoPayload, ownProject, perCaller, errs, guard.After(a.deleteProject, a.afterDelete)))

	mux.Handle("POST /ai/complete", guard.New(
		users, guard.JSON[Completion], guard.NoResource, completionLimits(limits, perCaller), errs, guard.Stream(a.complete)))

	mux.Handle("GET /search", guard.New(
		anyone, guard.Query[Search], guard.NoResource, limits.PerIP(30, time.Minute), errs, a.search))
	mux.Handle("POST /contact", guard.New(
		anyone, guard.JSON[Contact], guard.NoResource, limits.PerIP(5, time.Minute), errs, a.contact))
	mux.Handle("POST /admin/users/{userID}/role", guard.New(
		admins, guard.JSON[SetRole], guard.Authorize("userID", guard.ParseString, a.user), perCaller, errs, a.setRole))
	mux.Handle("POST /uploads/avatar", guard.New(
		users, guard.Form[UploadAvatar], guard.NoResource, perCaller, errs, a.uploadAvatar))

	mux.Handle("POST /webhooks/billing", guard.New(
		billing, guard.JSON[BillingEvent], guard.NoResource, limits.PerIP(60, time.Minute), errs, a.billingEvent))

	addPage(mux)
	mux.Unguarded("GET /healthz", "liveness probe: the process answers", http.HandlerFunc(healthy))
	mux.Unguarded("GET /metrics", "scraped by Prometheus: a proxy keeps it from the public", metrics.handler())
	mux.Unguarded("GET /readyz", "readiness probe: the database answers", guard.New(
		guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("readiness probe"), errs, guard.Stream(a.ready)))
	return mux, nil
}

// loginLimits slows guessing down and locks nobody out. Five tries a minute for an address; failed ones for an account
// from one network have to wait longer and longer, at most 30 seconds. The account's owner, elsewhere, notices nothing.
func loginLimits(limits *guard.Limiter) guard.Limit {
	return guard.And(limits.PerIP(5, time.Minute), guard.SlowDown(limits, Login.account))
}

// completionLimits counts what the model will read, and lets nobody have more than two completions at a time.
func completionLimits(limits *guard.Limiter, perCaller guard.Limit) guard.Limit {
	return guard.And(perCaller, limits.InFlightPerCaller(2),
		guard.CostOf(limits.PerCaller(promptTokens, time.Minute), Completion.tokens))
}

// observe hands what the guard reports to the metrics and to the request's span.
func observe(m *metrics) func(context.Context, guard.Event) {
	return func(ctx context.Context, e guard.Event) {
		m.observe(ctx, e)
		observeSpan(ctx, e)
	}
}

// publicError says which of the store's errors a caller may learn of.
func publicError(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return guard.ErrNotFound
	}
	return err
}
