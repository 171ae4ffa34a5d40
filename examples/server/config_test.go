package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

func load(t *testing.T, env map[string]string) config {
	t.Helper()
	c, err := loadConfig(func(name string) string { return env[name] })
	if err != nil {
		t.Fatalf("loadConfig: %v", err)
	}
	return c
}

func TestDefaultSettings(t *testing.T) {
	t.Parallel()
	c := load(t, nil)
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{name: "ADDR", got: c.addr, want: "127.0.0.1:8080"},
		{name: "DATABASE_URL", got: c.databaseURL, want: ""},
		{name: "SEED", got: c.seedDemo, want: true},
		{name: "SEED_PASSWORD", got: c.seedRandom, want: true},
		{name: "JWT_ISSUER", got: c.jwtIssuer, want: "https://projects.example"},
		{name: "JWT_AUDIENCE", got: c.jwtAudience, want: "projects-api"},
		{name: "JWT_RS256_PUBLIC_KEY", got: c.jwtRS256PublicKey == nil && c.canSignIn(), want: true},
		{name: "TRUSTED_PROXIES", got: len(c.proxies), want: 0},
		{name: "ALLOWED_ORIGINS", got: fmt.Sprint(c.origins), want: fmt.Sprint(guard.Origins{})},
		{name: "CALLER_LIMIT", got: c.callerLimit, want: 60},
		{name: "REDIS_URL", got: len(c.redisURL), want: 0},
		{name: "LIMITER_OUTAGE", got: c.limiterOutage, want: "local"},
		{name: "READ_TIMEOUT", got: c.readTimeout, want: 10 * time.Second},
		{name: "DRAIN_DELAY", got: c.drainDelay, want: time.Duration(0)},
		{name: "DRAIN_TIMEOUT", got: c.drainTimeout, want: 20 * time.Second},
		{name: "OTEL_EXPORTER_OTLP_ENDPOINT", got: c.tracesURL, want: ""},
		{name: "LOG_FORMAT", got: c.logFormat, want: "text"},
		{name: "LOG_LEVEL", got: c.logLevel, want: slog.LevelInfo},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestSecretsAreRandomUnlessSet(t *testing.T) {
	t.Parallel()
	a, b := load(t, nil), load(t, nil)
	for name, pair := range map[string][2]secret{
		"SEED_PASSWORD":  {a.seedPassword, b.seedPassword},
		"JWT_HS256_KEY":  {a.jwtHS256Key, b.jwtHS256Key},
		"WEBHOOK_SECRET": {a.webhookSecret, b.webhookSecret},
	} {
		if len(pair[0]) < 20 || bytes.Equal(pair[0], pair[1]) {
			t.Errorf("%s: got %d bytes, equal = %v, want long and different", name, len(pair[0]), bytes.Equal(pair[0], pair[1]))
		}
	}
	if bytes.Equal(a.jwtHS256Key, a.webhookSecret) {
		t.Error("two settings share one random key")
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{0xfb}, 33)
	c := load(t, map[string]string{
		"ADDR":            "[::1]:0",
		"DATABASE_URL":    "file:projects.db",
		"SEED":            "demo",
		"SEED_PASSWORD":   "open sesame ",
		"JWT_HS256_KEY":   base64.StdEncoding.EncodeToString(key),
		"JWT_ISSUER":      "https://issuer.example",
		"JWT_AUDIENCE":    "api",
		"WEBHOOK_SECRET":  "whsec_" + base64.StdEncoding.EncodeToString(key[:24]),
		"TRUSTED_PROXIES": "10.0.0.0/8, 192.168.0.0/16",
		"ALLOWED_ORIGINS": "https://a.example,https://b.example",
		"CALLER_LIMIT":    "1000000000",
		"REDIS_URL":       "rediss://user:hunter2@redis.example:6380/1",
		"LIMITER_OUTAGE":  "closed",
		"READ_TIMEOUT":    "500ms",
		"DRAIN_DELAY":     "5s",
		"DRAIN_TIMEOUT":   "1m",
		"LOG_FORMAT":      "json",
		"LOG_LEVEL":       "debug",
	})
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{name: "ADDR", got: c.addr, want: "[::1]:0"},
		{name: "DATABASE_URL", got: c.databaseURL, want: "file:projects.db"},
		{name: "SEED", got: c.seedDemo, want: true},
		{name: "SEED_PASSWORD", got: string(c.seedPassword), want: "open sesame "},
		{name: "SEED_PASSWORD is announced", got: c.seedRandom, want: false},
		{name: "JWT_HS256_KEY", got: string(c.jwtHS256Key), want: string(key)},
		{name: "JWT_ISSUER", got: c.jwtIssuer, want: "https://issuer.example"},
		{name: "JWT_AUDIENCE", got: c.jwtAudience, want: "api"},
		{name: "WEBHOOK_SECRET", got: string(c.webhookSecret), want: string(key[:24])},
		{name: "TRUSTED_PROXIES", got: fmt.Sprint(c.proxies), want: "[10.0.0.0/8 192.168.0.0/16]"},
		{name: "ALLOWED_ORIGINS", got: strings.Contains(fmt.Sprint(c.origins), "https://b.example"), want: true},
		{name: "CALLER_LIMIT", got: c.callerLimit, want: 1_000_000_000},
		{name: "REDIS_URL", got: string(c.redisURL), want: "rediss://user:hunter2@redis.example:6380/1"},
		{name: "LIMITER_OUTAGE", got: c.limiterOutage, want: "closed"},
		{name: "READ_TIMEOUT", got: c.readTimeout, want: 500 * time.Millisecond},
		{name: "DRAIN_DELAY", got: c.drainDelay, want: 5 * time.Second},
		{name: "DRAIN_TIMEOUT", got: c.drainTimeout, want: time.Minute},
		{name: "LOG_FORMAT", got: c.logFormat, want: "json"},
		{name: "LOG_LEVEL", got: c.logLevel, want: slog.LevelDebug},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestDemoDataIsOffByDefaultOnDisk(t *testing.T) {
	t.Parallel()
	if load(t, map[string]string{"DATABASE_URL": "file:projects.db"}).seedDemo {
		t.Error("a database on disk gets demo users without being asked")
	}
}

func TestListenAddresses(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{
		":80", "0.0.0.0:0", "[::]:65535", "[fe80::1%eth0]:80", "localhost:80", "projects_1.internal.:80", "3f2a9c0d1e2b:80", "1.a-1:80",
	} {
		if got := load(t, map[string]string{"ADDR": addr}).addr; got != addr {
			t.Errorf("got %s, want %s", got, addr)
		}
	}
}

func TestWhereTracesGo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, all, traces, want string }{
		{name: "nowhere"},
		{name: "below the URL for everything", all: "http://collector:4318", want: "http://collector:4318/v1/traces"},
		{name: "below its path", all: "https://collector.example/otlp/", want: "https://collector.example/otlp/v1/traces"},
		{name: "to the URL for traces as it is", traces: "http://collector:4318/t", want: "http://collector:4318/t"},
		{name: "to the URL for traces rather than below the other", all: "http://a:4318", traces: "http://b:4318/v1/traces", want: "http://b:4318/v1/traces"},
	} {
		got := load(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": tt.all, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": tt.traces}).tracesURL
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	} {
		if got := load(t, map[string]string{"LOG_LEVEL": value}).logLevel; got != want {
			t.Errorf("%s: got %v, want %v", value, got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	encode := base64.StdEncoding.EncodeToString
	for _, tt := range []struct{ name, setting, value string }{
		{name: "address without a port", setting: "ADDR", value: "hunter2"},
		{name: "address with a bad port", setting: "ADDR", value: "127.0.0.1:65536"},
		{name: "address with a named port", setting: "ADDR", value: "127.0.0.1:hunter2"},
		{name: "address without brackets", setting: "ADDR", value: "::1:80"},
		{name: "address with a negative port", setting: "ADDR", value: ":-1"},
		{name: "address with space before it", setting: "ADDR", value: " 127.0.0.2:80"},
		{name: "address with space behind it", setting: "ADDR", value: "127.0.0.2:80 "},
		{name: "address with space in it", setting: "ADDR", value: "127.0.0.2 :80"},
		{name: "address that is no IP address", setting: "ADDR", value: "127.0.0.256:8080"},
		{name: "address with half an IP address", setting: "ADDR", value: "127.0.1:8080"},
		{name: "address with an empty label", setting: "ADDR", value: "a..example:8080"},
		{name: "address with brackets around a name", setting: "ADDR", value: "[localhost]:8080"},
		{name: "address without a host and a port", setting: "ADDR", value: ":"},
		{name: "address with zeros before its port", setting: "ADDR", value: ":08080"},
		{name: "address that is a URL", setting: "ADDR", value: "http://127.0.0.1:8080"},
		{name: "a blank issuer", setting: "JWT_ISSUER", value: " "},
		{name: "an issuer with a line end", setting: "JWT_ISSUER", value: "https://hunter2.example\n"},
		{name: "an issuer with a control character", setting: "JWT_ISSUER", value: "https://hunter2\x00.example"},
		{name: "a blank audience", setting: "JWT_AUDIENCE", value: " "},
		{name: "an audience that is no UTF-8", setting: "JWT_AUDIENCE", value: "hunter2\xff"},
		{name: "another database", setting: "DATABASE_URL", value: "postgres://app:hunter2@db/projects"},
		{name: "a path", setting: "DATABASE_URL", value: "hunter2.db"},
		{name: "an unknown pragma", setting: "DATABASE_URL", value: "file:hunter2.db?_pragma=nope(1)"},
		{name: "unknown seed", setting: "SEED", value: "hunter2"},
		{name: "seed in another case", setting: "SEED", value: "Demo"},
		{name: "password that no login accepts", setting: "SEED_PASSWORD", value: strings.Repeat("hunter2", 29)},
		{name: "password with a line end", setting: "SEED_PASSWORD", value: "hunter2hunter2\n"},
		{name: "password that is no UTF-8", setting: "SEED_PASSWORD", value: "hunter2hunter2\xff"},
		{name: "short key", setting: "JWT_HS256_KEY", value: encode(make([]byte, 31))},
		{name: "key without padding", setting: "JWT_HS256_KEY", value: strings.TrimRight(encode(make([]byte, 32)), "=")},
		{name: "key in base64url", setting: "JWT_HS256_KEY", value: base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 32))},
		{name: "key in hex", setting: "JWT_HS256_KEY", value: strings.Repeat("0f", 16)},
		{name: "key on two lines", setting: "JWT_HS256_KEY", value: strings.Repeat("aHVu\n", 11)},
		{name: "key with a line end", setting: "JWT_HS256_KEY", value: encode(bytes.Repeat([]byte("hunter2"), 6)) + "\n"},
		{name: "key of zeros", setting: "JWT_HS256_KEY", value: encode(make([]byte, 32))},
		{name: "a public key as the key", setting: "JWT_HS256_KEY", value: encode([]byte("-----BEGIN PUBLIC KEY-----\nhunter2\n"))},
		{name: "key as text", setting: "JWT_HS256_KEY", value: "hunter2"},
		{name: "webhook secret without prefix", setting: "WEBHOOK_SECRET", value: encode(make([]byte, 32))},
		{name: "webhook secret with only a prefix", setting: "WEBHOOK_SECRET", value: "whsec_"},
		{name: "short webhook secret", setting: "WEBHOOK_SECRET", value: "whsec_" + encode(make([]byte, 23))},
		{name: "webhook secret of zeros", setting: "WEBHOOK_SECRET", value: "whsec_" + encode(make([]byte, 32))},
		{name: "a public key as the webhook secret", setting: "WEBHOOK_SECRET", value: "whpk_" + encode(bytes.Repeat([]byte{7}, 32))},
		{name: "long webhook secret", setting: "WEBHOOK_SECRET", value: "whsec_" + encode(make([]byte, 65))},
		{name: "webhook secret with a line end", setting: "WEBHOOK_SECRET", value: "whsec_" + encode(bytes.Repeat([]byte("hunter2"), 6)) + "\n"},
		{name: "webhook secret with a line break of Windows", setting: "WEBHOOK_SECRET", value: "whsec_aHVu\r\n" + strings.Repeat("aHVu", 10)},
		{name: "webhook secret as text", setting: "WEBHOOK_SECRET", value: "whsec_hunter2"},
		{name: "proxies by name", setting: "TRUSTED_PROXIES", value: "proxy.internal"},
		{name: "everybody as a proxy", setting: "TRUSTED_PROXIES", value: "0.0.0.0/0"},
		{name: "a proxy and a comma", setting: "TRUSTED_PROXIES", value: "10.0.0.0/8,"},
		{name: "a blank for a proxy", setting: "TRUSTED_PROXIES", value: " "},
		{name: "an origin and a comma", setting: "ALLOWED_ORIGINS", value: "https://a.example,"},
		{name: "nothing between two origins", setting: "ALLOWED_ORIGINS", value: "https://a.example, ,https://b.example"},
		{name: "a wildcard origin", setting: "ALLOWED_ORIGINS", value: "https://*.example"},
		{name: "an origin with a path", setting: "ALLOWED_ORIGINS", value: "https://app.example/path"},
		{name: "no limit", setting: "CALLER_LIMIT", value: "0"},
		{name: "negative limit", setting: "CALLER_LIMIT", value: "-5"},
		{name: "huge limit", setting: "CALLER_LIMIT", value: "1000000001"},
		{name: "limit beyond 64 bits", setting: "CALLER_LIMIT", value: "99999999999999999999"},
		{name: "fractional limit", setting: "CALLER_LIMIT", value: "1.5"},
		{name: "limit with a sign", setting: "CALLER_LIMIT", value: "+5"},
		{name: "limit with a zero before it", setting: "CALLER_LIMIT", value: "05"},
		{name: "limit with space", setting: "CALLER_LIMIT", value: "5 "},
		{name: "limit as text", setting: "CALLER_LIMIT", value: "hunter2"},
		{name: "another scheme", setting: "REDIS_URL", value: "https://:hunter2@redis"},
		{name: "only a Redis port", setting: "REDIS_URL", value: "redis://:6379"},
		{name: "no Redis host", setting: "REDIS_URL", value: "redis:hunter2"},
		{name: "malformed Redis URL", setting: "REDIS_URL", value: "redis://:hunter2@redis:port"},
		{name: "a Redis port that there is not", setting: "REDIS_URL", value: "redis://:hunter2@redis:99999"},
		{name: "Redis port 0", setting: "REDIS_URL", value: "redis://:hunter2@redis:0"},
		{name: "a Redis password that ends the URL", setting: "REDIS_URL", value: "redis://redis#hunter2@redis.example"},
		{name: "a Redis database in words", setting: "REDIS_URL", value: "redis://redis/hunter2"},
		{name: "a negative Redis database", setting: "REDIS_URL", value: "redis://:hunter2@redis/-1"},
		{name: "an unknown parameter of Redis", setting: "REDIS_URL", value: "redis://redis?hunter2=1"},
		{name: "unknown outage", setting: "LIMITER_OUTAGE", value: "hunter2"},
		{name: "no timeout", setting: "READ_TIMEOUT", value: "0s"},
		{name: "negative timeout", setting: "READ_TIMEOUT", value: "-1s"},
		{name: "timeout without a unit", setting: "READ_TIMEOUT", value: "10"},
		{name: "timeout with a sign", setting: "READ_TIMEOUT", value: "+10s"},
		{name: "timeout that nobody can keep", setting: "READ_TIMEOUT", value: "1ns"},
		{name: "endless timeout", setting: "READ_TIMEOUT", value: "61m"},
		{name: "negative delay", setting: "DRAIN_DELAY", value: "-1s"},
		{name: "endless delay", setting: "DRAIN_DELAY", value: "61m"},
		{name: "no time to drain", setting: "DRAIN_TIMEOUT", value: "0s"},
		{name: "a collector without a scheme", setting: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "hunter2:4318"},
		{name: "a collector that speaks gRPC", setting: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "grpc://hunter2:4317"},
		{name: "no collector's host", setting: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http:///hunter2"},
		{name: "a password in the collector's URL", setting: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value: "https://user:hunter2@collector.example"},
		{name: "a key in the collector's URL", setting: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value: "https://collector.example/?key=hunter2"},
		{name: "a collector's port that there is not", setting: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://hunter2:99999"},
		{name: "malformed collector", setting: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value: "http://collector:hunter2"},
		{name: "unknown format", setting: "LOG_FORMAT", value: "hunter2"},
		{name: "format in another case", setting: "LOG_FORMAT", value: "JSON"},
		{name: "level in another case", setting: "LOG_LEVEL", value: "INFO"},
		{name: "unknown level", setting: "LOG_LEVEL", value: "hunter2"},
		{name: "level that slog would accept", setting: "LOG_LEVEL", value: "info+2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := loadConfig(func(name string) string {
				if name == tt.setting {
					return tt.value
				}
				return ""
			})
			if err == nil {
				t.Fatalf("%s was accepted", tt.setting)
			}
			message := err.Error()
			list := tt.setting == "TRUSTED_PROXIES" || tt.setting == "ALLOWED_ORIGINS" // guard's own messages; public values
			if !strings.HasPrefix(message, tt.setting+": ") || !strings.Contains(message, "; write ") && !list || strings.Contains(message, "\n") {
				t.Errorf("got %q, want one line that names %s and says what to write", message, tt.setting)
			}
			if strings.Contains(message, "hunter2") || !list && len(tt.value) > 6 && strings.Contains(message, tt.value) {
				t.Errorf("the message repeats the value: %q", message)
			}
		})
	}
}

func TestEveryMistakeIsListed(t *testing.T) {
	t.Parallel()
	bad := []string{ // in the order of the lines; the lists have two mistakes each
		"ADDR", "DATABASE_URL", "JWT_ISSUER", "JWT_AUDIENCE", "WEBHOOK_SECRET", "TRUSTED_PROXIES", "TRUSTED_PROXIES", "ALLOWED_ORIGINS", "ALLOWED_ORIGINS",
		"CALLER_LIMIT", "REDIS_URL", "LIMITER_OUTAGE", "READ_TIMEOUT", "DRAIN_DELAY", "DRAIN_TIMEOUT", "LOG_FORMAT", "LOG_LEVEL",
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "SEED", "JWT_HS256_KEY", "JWT_RS256_PUBLIC_KEY",
	}
	c, err := loadConfig(func(name string) string {
		if slices.Contains(bad, name) {
			return "x,y\n"
		}
		return ""
	})
	if err == nil {
		t.Fatal("got no error")
	}
	var named []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		name, _, _ := strings.Cut(line, ": ")
		named = append(named, name)
	}
	if !slices.Equal(named, bad) {
		t.Errorf("got lines for %v, want %v:\n%v", named, bad, err)
	}
	if c.addr != "" || c.jwtHS256Key != nil || c.callerLimit != 0 {
		t.Errorf("got %v besides the error, want nothing", c)
	}
}

func pemFile(t *testing.T, content ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, slices.Concat(content...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pkix(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemBlock("PUBLIC KEY", der)
}

func TestRSAPublicKey(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := pkix(t, &private.PublicKey)
	pkcs1 := pemBlock("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&private.PublicKey))
	for _, tt := range []struct {
		name, path string
		want       string // part of the message; empty for no error
	}{
		{name: "PKIX", path: pemFile(t, public)},
		{name: "PKCS 1", path: pemFile(t, pkcs1)},
		{name: "text before the key", path: pemFile(t, []byte("The key of 2030:\n"), public, []byte(" \r\n\n"))},
		{name: "missing", path: filepath.Join(t.TempDir(), "missing.pem"), want: "no such file"},
		{name: "a folder", path: t.TempDir(), want: "directory"},
		{name: "the key instead of its path", path: string(public), want: "write the path of a PEM file"},
		{name: "empty", path: pemFile(t), want: "no PEM block"},
		{name: "not PEM", path: pemFile(t, []byte("ssh-rsa AAAA")), want: "no PEM block"},
		{name: "two keys", path: pemFile(t, public, pkcs1), want: "more than one"},
		{name: "a key behind half of another", path: pemFile(t, public[:100], []byte("\n"), pkcs1), want: "more than one"},
		{name: "text behind the key", path: pemFile(t, public, []byte("hunter2\n")), want: "goes on"},
		{name: "a NUL behind the key", path: pemFile(t, public, []byte{0}), want: "goes on"},
		{name: "another algorithm", path: pemFile(t, pkix(t, &elliptical.PublicKey)), want: "not an RSA key"},
		{name: "1024 bits", path: pemFile(t, pkix(t, &small.PublicKey)), want: "1024 bits"},
		{name: "the exponent 1", path: pemFile(t, pkix(t, &rsa.PublicKey{N: private.N, E: 1})), want: "exponent 1"},
		{name: "a private key", path: pemFile(t, pemBlock("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private))), want: "private key"},
		{name: "a certificate", path: pemFile(t, pemBlock("CERTIFICATE", []byte{1})), want: "no public key"},
		{name: "malformed PKIX", path: pemFile(t, pemBlock("PUBLIC KEY", []byte{1, 2})), want: "malformed"},
		{name: "malformed PKCS 1", path: pemFile(t, pemBlock("RSA PUBLIC KEY", []byte{1, 2})), want: "malformed"},
		{name: "too large", path: pemFile(t, public, make([]byte, maxKeyFile)), want: "too large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := loadConfig(func(name string) string { return map[string]string{"JWT_RS256_PUBLIC_KEY": tt.path}[name] })
			if tt.want == "" {
				if err != nil || !private.PublicKey.Equal(c.jwtRS256PublicKey) || c.canSignIn() {
					t.Errorf("got %v, %v, want the key and no sign-in", c.jwtRS256PublicKey, err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "JWT_RS256_PUBLIC_KEY: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), tt.path) {
				t.Errorf("the message repeats the value: %v", err)
			}
		})
	}
}

func TestRSAPublicKeyReplacesTheHS256Key(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"JWT_RS256_PUBLIC_KEY": pemFile(t, pkix(t, &private.PublicKey)),
		"JWT_HS256_KEY":        base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))),
	}
	if c := load(t, env); c.jwtHS256Key != nil || c.jwtRS256PublicKey == nil {
		t.Error("the HS256 key is still there")
	}
	env["JWT_HS256_KEY"] = "too short"
	if _, err := loadConfig(func(name string) string { return env[name] }); err == nil {
		t.Error("a bad HS256 key was accepted because it is not used")
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	c := load(t, map[string]string{"SEED_PASSWORD": "hunter2hunter2", "REDIS_URL": "redis://:hunter2@redis"})
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", c.seedPassword)
		fmt.Fprintf(&out, verb+"\n", c)
		fmt.Fprintf(&out, verb+"\n", &c)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("starting", "config", c, "password", c.seedPassword)
	}
	encoded, err := json.Marshal(c.seedPassword)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	for _, leak := range []string{
		"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprint([]byte("hunter2")), base64.StdEncoding.EncodeToString([]byte("hunter2")),
	} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("a secret leaked as %q:\n%s", leak, out.String())
		}
	}
}
