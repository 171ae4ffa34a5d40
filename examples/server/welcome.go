package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/routeguard/guard/examples/server/store"
)

// welcome tells where the service is, and how to try it with the demo data.
func (a *app) welcome(ctx context.Context, cfg config, addr net.Addr, stdout io.Writer) error {
	host, _, _ := net.SplitHostPort(reachable(cfg.addr)) // of all addresses, one that a browser knows
	_, port, _ := net.SplitHostPort(addr.String())
	at := net.JoinHostPort(host, port)
	if !cfg.seedDemo {
		_, err := fmt.Fprintf(stdout, "The service is at http://%s; open it in a browser. SEED=demo adds data to try it with.\n", at)
		return err
	}
	password, err := a.seed(ctx, cfg)
	if err != nil {
		return err
	}
	signIn := "Sign in as alice@example.com, bob@example.com or admin@example.com with " + password
	if !cfg.canSignIn() {
		signIn = "Nobody signs in here: with JWT_RS256_PUBLIC_KEY, session tokens come from elsewhere"
	}
	_, err = fmt.Fprintf(stdout, demo, at, signIn, store.DemoAPIKey, store.DemoProjectAlice, store.DemoProjectBob)
	return err
}

// seed adds the demo data. It returns how somebody gets the password of the demo users: SEED_PASSWORD becomes it whenever
// it is set, and a random one only that of new users.
func (a *app) seed(ctx context.Context, cfg config) (password string, err error) {
	hash, err := a.passwords.Hash(ctx, string(cfg.seedPassword))
	if err != nil {
		return "", fmt.Errorf("hash the demo password: %w", err)
	}
	added, err := a.store.SeedDemo(ctx, hash)
	switch {
	case err != nil:
		return "", err
	case !cfg.seedRandom:
		return "SEED_PASSWORD", a.store.SetDemoPassword(ctx, hash)
	case added > 0:
		return "the password " + string(cfg.seedPassword), nil
	}
	return "the password that they were given; SEED_PASSWORD gives them another", nil
}

const demo = `The service is at http://%[1]s; open it in a browser.
%[2]s.
Alice has an API key; try, from another terminal:

  # Alice renames her project: 200
  curl -i -X PATCH http://%[1]s/projects/%[4]s -H 'X-API-Key: %[3]s' -H 'Content-Type: application/json' -d '{"name":"Renamed by curl"}'

  # she sets a field that is not hers to set: 400
  curl -i -X PATCH http://%[1]s/projects/%[4]s -H 'X-API-Key: %[3]s' -H 'Content-Type: application/json' -d '{"ownerId":"bob"}'

  # she tries Bob's project: 404, as if it did not exist
  curl -i http://%[1]s/projects/%[5]s -H 'X-API-Key: %[3]s'

`
