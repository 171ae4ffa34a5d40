package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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

func (e *environment) prefixes(name string) []netip.Prefix {
	prefixes, err := guard.ParsePrefixes(e.getenv(name))
	e.mistakesOf(name, err)
	return prefixes
}

func (e *environment) origins(name string) guard.Origins {
	origins, err := guard.ParseOrigins(e.getenv(name))
	e.mistakesOf(name, err)
	return origins
}

// mistakesOf notes each of the mistakes that guard found in a list.
func (e *environment) mistakesOf(name string, err error) {
	if err == nil {
		return
	}
	joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err)
	if !ok {
		e.mistake(name, "%v", err)
		return
	}
	for _, one := range joined.Unwrap() {
		e.mistake(name, "%v", one)
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
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		e.mistake(name, "is not a whole number from %d to %d; write one, such as %d", low, high, fallback)
	}
	return n
}

func (e *environment) duration(name string, fallback, low, high time.Duration) time.Duration {
	v := e.getenv(name)
	if v == "" {
		return fallback
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < low || d > high {
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
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		e.mistake(name, "is not a listen address; write host:port with a port from 0 to 65535, such as %s", fallback)
	}
	return v
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
	// The error of url.Parse repeats the URL, and with it the password.
	u, err := url.Parse(v)
	if err != nil || u.Hostname() == "" || (u.Scheme != "redis" && u.Scheme != "rediss") {
		e.mistake(name, "is not a Redis URL; write redis://host:6379/0, or rediss:// for TLS")
	}
	return secret(v)
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
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
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
	if utf8.RuneCountInString(v) > maxSeedPassword {
		e.mistake(name, "is longer than %d characters, which no login accepts; write a shorter one", maxSeedPassword)
	}
	return secret(v), false
}
