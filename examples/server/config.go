package main

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/routeguard/guard"
)

// config is what the service takes from its environment, checked and with the defaults filled in.
type config struct {
	addr         string
	databaseURL  string // empty: a database in memory
	seedDemo     bool
	seedPassword secret
	seedRandom   bool // seedPassword was made up, so somebody has to be told

	// Exactly one of the two is set. With the public key, RS256 is the only algorithm and the service signs no tokens.
	jwtHS256Key       secret
	jwtRS256PublicKey *rsa.PublicKey
	jwtIssuer         string
	jwtAudience       string
	webhookSecret     secret // decoded, without whsec_

	proxies []netip.Prefix
	origins guard.Origins

	callerLimit   int    // requests a minute
	redisURL      secret // nil: none
	limiterOutage string // outageLocal, outageOpen or outageClosed

	readTimeout  time.Duration
	drainDelay   time.Duration // from not ready to not listening
	drainTimeout time.Duration // from not listening to cutting off
	logFormat    string        // logText or logJSON
	logLevel     slog.Level
	tracesURL    string // of an OTLP collector; empty: no traces
}

// Format keeps the secrets out of what package fmt prints, which calls no methods of unexported fields.
func (c config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[config]") }

// What a limit does while Redis is down.
const (
	outageLocal  = "local"
	outageOpen   = "open"
	outageClosed = "closed"
)

const (
	logText = "text"
	logJSON = "json"
)

const (
	maxPort         = 65535
	maxCallerLimit  = 1_000_000_000
	maxReadTimeout  = time.Hour
	maxDrain        = time.Hour
	maxSeedPassword = 200 // characters, as in the login form
)

// loadConfig reads the settings through getenv, which is os.Getenv outside of tests. An empty value is one that is not set.
//
// The error has one line for every mistake. Apart from the lists of proxies and origins, no line repeats a value: a
// secret may stand in the wrong place.
func loadConfig(getenv func(string) string) (config, error) {
	e := &environment{getenv: getenv}
	c := config{
		addr:          e.listenAddress(),
		databaseURL:   e.databaseURL("DATABASE_URL"),
		jwtIssuer:     e.claim("JWT_ISSUER", "https://projects.example"),
		jwtAudience:   e.claim("JWT_AUDIENCE", "projects-api"),
		webhookSecret: e.webhookSecret("WEBHOOK_SECRET"),
		proxies:       e.prefixes("TRUSTED_PROXIES"),
		origins:       e.origins("ALLOWED_ORIGINS"),
		callerLimit:   e.integer("CALLER_LIMIT", 60, 1, maxCallerLimit),
		redisURL:      e.redisURL("REDIS_URL"),
		limiterOutage: e.oneOf("LIMITER_OUTAGE", outageLocal, outageOpen, outageClosed),
		readTimeout:   e.duration("READ_TIMEOUT", 10*time.Second, time.Millisecond, maxReadTimeout),
		drainDelay:    e.duration("DRAIN_DELAY", 0, 0, maxDrain),
		drainTimeout:  e.duration("DRAIN_TIMEOUT", 20*time.Second, time.Millisecond, maxDrain),
		logFormat:     e.oneOf("LOG_FORMAT", logText, logJSON),
		logLevel:      e.level("LOG_LEVEL"),
		tracesURL:     e.tracesURL("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
	}
	c.seedDemo = e.seed("SEED", c.databaseURL == "")
	c.seedPassword, c.seedRandom = e.seedPassword("SEED_PASSWORD")
	c.jwtHS256Key, c.jwtRS256PublicKey = e.jwtKeys("JWT_HS256_KEY", "JWT_RS256_PUBLIC_KEY")
	if err := errors.Join(e.mistakes...); err != nil {
		return config{}, err
	}
	return c, nil
}
