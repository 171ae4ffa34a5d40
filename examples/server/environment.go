package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/store"
)

// environment reads settings one by one and collects what is wrong with them.
type environment struct {
	getenv   func(string) string
	mistakes []error
}

// mistake notes what is wrong with a setting and what to write instead.
func (e *environment) mistake(name, format string, args ...any) {
	e.mistakes = append(e.mistakes, fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...)))
}

func (e *environment) text(name, fallback string) string {
	if v := e.getenv(name); v != "" {
		return v
	}
	return fallback
}

// claim reads a value that each token must have. A stray space or line end would refuse them all.
func (e *environment) claim(name, fallback string) string {
	v := e.text(name, fallback)
	if v != strings.TrimSpace(v) || !printable(v) {
		e.mistake(name, "has space around it or control characters; write a name such as %s", fallback)
	}
	return v
}

func printable(v string) bool {
	return utf8.ValidString(v) && !strings.ContainsFunc(v, unicode.IsControl)
}

func (e *environment) prefixes(name string) []netip.Prefix {
	prefixes, err := guard.ParsePrefixes(e.getenv(name))
	e.mistakesOf(name, err, "")
	return prefixes
}

func (e *environment) origins(name string) guard.Origins {
	origins, err := guard.ParseOrigins(e.getenv(name))
	e.mistakesOf(name, err, "")
	return origins
}

// mistakesOf notes each of the mistakes that guard found, and what to write instead where guard does not say.
func (e *environment) mistakesOf(name string, err error, instead string) {
	if err == nil {
		return
	}
	joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err)
	if !ok {
		e.mistake(name, "%v%s", err, instead)
		return
	}
	for _, one := range joined.Unwrap() {
		e.mistake(name, "%v%s", one, instead)
	}
}

// oneOf returns the setting if it is one of the choices. The first choice is the default.
func (e *environment) oneOf(name string, choices ...string) string {
	v := e.text(name, choices[0])
	if !slices.Contains(choices, v) {
		e.mistake(name, "is not a known value; write one of: %s", strings.Join(choices, ", "))
	}
	return v
}

func (e *environment) integer(name string, fallback, low, high int) int {
	v := e.getenv(name)
	if v == "" {
		return fallback
	}
	n, ok := decimal(v, low, high)
	if !ok {
		e.mistake(name, "is not a whole number from %d to %d; write one, such as %d", low, high, fallback)
	}
	return n
}

// decimal reads a number in its one spelling: 5 is neither +5 nor 05.
func decimal(v string, low, high int) (n int, ok bool) {
	n, err := strconv.Atoi(v)
	return n, err == nil && strconv.Itoa(n) == v && low <= n && n <= high
}

func (e *environment) duration(name string, fallback, low, high time.Duration) time.Duration {
	v := e.getenv(name)
	if v == "" {
		return fallback
	}
	d, err := time.ParseDuration(v)
	if err != nil || strings.ContainsAny(v, "+-") || d < low || d > high {
		e.mistake(name, "is not a duration from %s to %s; write one with its unit, such as 10s", low, high)
	}
	return d
}

func (e *environment) level(name string) slog.Level {
	var level slog.Level
	switch e.oneOf(name, "info", "debug", "warn", "error") {
	case "debug":
		level = slog.LevelDebug
	case "warn":
		level = slog.LevelWarn
	case "error":
		level = slog.LevelError
	}
	return level
}

func (e *environment) listenAddress() string { return e.address("ADDR", "127.0.0.1:8080") }

func (e *environment) address(name, fallback string) string {
	v := e.text(name, fallback)
	host, port, err := net.SplitHostPort(v)
	_, ok := decimal(port, 0, maxPort)
	if err != nil || !ok || !isHost(host) || net.JoinHostPort(host, port) != v {
		e.mistake(name, "is not a listen address; write host:port with a port from 0 to %d, such as %s", maxPort, fallback)
	}
	return v
}

// hostname has a letter in its last label: without one, it is an IP address, or was meant to be.
var hostname = regexp.MustCompile(`^([A-Za-z0-9_-]+\.)*[0-9_-]*[A-Za-z][A-Za-z0-9_-]*\.?$`)

// isHost reports whether something can listen on host, as far as nobody has to be asked. The empty one is all addresses.
func isHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return host == "" || err == nil || hostname.MatchString(host)
}

func (e *environment) databaseURL(name string) string {
	v := e.getenv(name)
	if err := store.CheckURL(v); err != nil {
		e.mistake(name, "%v; write file: and a path, such as file:projects.db, or unset it for a database in memory", err)
	}
	return v
}

func (e *environment) redisURL(name string) secret {
	v := e.getenv(name)
	if v == "" {
		return nil
	}
	// The errors repeat the URL, and with it the password.
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || !hasServer(u) || u.Fragment != "" {
		e.mistake(name, "is not a Redis URL; write redis://host:6379/0, or rediss:// for TLS")
		return nil
	}
	if options, err := redis.ParseURL(v); err != nil || options.DB < 0 {
		e.mistake(name, "has a path that is not the number of a database, or unknown parameters; write redis://host:6379/0")
	}
	return secret(v)
}

// hasServer reports whether u names a host, and a port that there is, if any.
func hasServer(u *url.URL) bool {
	_, ok := decimal(u.Port(), 1, maxPort)
	return u.Hostname() != "" && (ok || u.Port() == "")
}

// tracesURL returns where traces go: the second setting as it is, or below the first, as OpenTelemetry has it.
func (e *environment) tracesURL(all, traces string) string {
	base, exact := e.collector(all), e.collector(traces)
	switch {
	case exact != nil:
		return exact.String()
	case base != nil:
		return base.JoinPath("v1/traces").String()
	}
	return ""
}

// collector reads the URL of a collector. The exporter knows no more of it than scheme, host and path.
func (e *environment) collector(name string) *url.URL {
	v := e.getenv(name)
	if v == "" {
		return nil
	}
	u, err := url.Parse(v) // its error may repeat a password
	if err != nil || !hasServer(u) || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		e.mistake(name, "is not the URL of an OTLP/HTTP collector; write http://host:4318 or https://, and credentials to OTEL_EXPORTER_OTLP_HEADERS")
		return nil
	}
	return u
}

// seed reports whether to add the demo data. A database in memory always has it: it would be of no use without.
func (e *environment) seed(name string, inMemory bool) bool {
	switch e.getenv(name) {
	case "":
		return inMemory
	case "demo":
		return true
	default:
		e.mistake(name, "is not a known value; write demo, or unset it")
		return false
	}
}

func (e *environment) seedPassword(name string) (password secret, random bool) {
	v := e.getenv(name)
	if v == "" {
		return secret(rand.Text()), true
	}
	if utf8.RuneCountInString(v) > maxSeedPassword || !printable(v) {
		e.mistake(name, "is not 1 to %d characters without line breaks; write some, or unset it for random ones", maxSeedPassword)
	}
	return secret(v), false
}
