package main

import (
	"io"
	"log/slog"
	"net"

	"github.com/routeguard/guard"
)

// canSignIn reports whether this service signs session tokens itself. With a public key, somebody else does.
func (c config) canSignIn() bool { return c.jwtRS256PublicKey == nil }

// tokenRules says which session tokens are accepted: one issuer, one audience, one algorithm, one key.
func (c config) tokenRules() guard.JWT {
	rules := guard.JWT{Issuer: c.jwtIssuer, Audience: []string{c.jwtAudience}}
	if c.canSignIn() {
		rules.Algorithms, rules.Key = []string{"HS256"}, []byte(c.jwtHS256Key)
	} else {
		rules.Algorithms, rules.Key = []string{"RS256"}, c.jwtRS256PublicKey
	}
	return rules
}

// announce records where the service listens, whatever LOG_LEVEL is: programs that start it on port 0 read the port there.
func (c config) announce(w io.Writer, addr net.Addr) {
	c.logLevel = min(c.logLevel, slog.LevelInfo)
	c.logger(w).Info("listening", "addr", addr.String())
}

func (c config) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.logLevel}
	if c.logFormat == logJSON {
		return slog.New(tracedLog{slog.NewJSONHandler(w, options)})
	}
	return slog.New(tracedLog{slog.NewTextHandler(w, options)})
}
