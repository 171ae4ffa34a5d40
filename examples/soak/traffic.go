package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	aliceKey     = "gk_live_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd" // of the demo data
	aliceProject = "/projects/0198f000-0000-7000-8000-00000000a11c"
	bobProject   = "/projects/0198f000-0000-7000-8000-000000000b0b"
	secretMark   = "mark-of-a-secret"
)

var webhookKey = []byte(strings.Repeat("w", 32))

// protocol is how a client talks to an instance.
type protocol int

const (
	h1 protocol = iota // HTTP/1.1, with or without TLS
	h2                 // HTTP/2 alone, with or without TLS
)

func (w *world) transport(p protocol) *http.Transport {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots}, MaxIdleConnsPerHost: 20, ForceAttemptHTTP2: p != h1}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(p != h2)
	if p == h2 {
		protocols.SetHTTP2(true)
		protocols.SetUnencryptedHTTP2(true)
	}
	t.Protocols = protocols
	return t
}

// client sends requests to an instance and checks what comes back. It belongs to one goroutine.
type client struct {
	*instance
	http   *http.Client
	record *record
	name   string
	cookie string
	random *rand.Rand
}

// request is what is sent, and what may be answered.
type request struct {
	what, method, path, body string
	header                   []string // names and values
	want                     []int
}

// workers are all that goes on at the same time.
func workers(w *world, r *record) []func(context.Context) {
	var all []func(context.Context)
	for _, i := range w.instances {
		for name, p := range map[string]protocol{"HTTP/1.1": h1, "HTTP/2": h2} {
			to := &http.Client{Timeout: 20 * time.Second, Transport: w.transport(p)}
			for _, do := range []func(*client, context.Context) error{(*client).user, (*client).attacker} {
				c := &client{instance: i, http: to, record: r, name: i.name + " " + name, random: rand.New(rand.NewPCG(uint64(len(all)), 1))}
				all = append(all, c.loop(do))
			}
		}
		if strings.HasPrefix(i.url, "http://") {
			for n := range raw {
				all = append(all, func(ctx context.Context) { rawWorker(ctx, i, r, raw[n]) })
			}
			all = append(all, func(ctx context.Context) { wrk(ctx, w.dir, i, r) })
		}
	}
	return all
}

// loop repeats one until ctx ends. What fails while the instance is restarted is no mistake.
func (c *client) loop(one func(*client, context.Context) error) func(context.Context) {
	return func(ctx context.Context) {
		for ctx.Err() == nil {
			restarted := c.down.Load()
			err := one(c, ctx)
			if err == nil || ctx.Err() != nil {
				continue
			}
			c.record.answered(c.name, "no answer")
			if !restarted && !c.down.Load() && !errors.Is(err, errStopped) {
				c.record.mistake("%s: %v", c.name, err)
			}
			sleep(ctx, 200*time.Millisecond)
		}
	}
}

// send makes one request and returns its body.
func (c *client) send(ctx context.Context, q request) ([]byte, http.Header, error) {
	before := c.processes()
	r, err := http.NewRequestWithContext(ctx, q.method, c.url+q.path, strings.NewReader(q.body))
	if err != nil {
		return nil, nil, err
	}
	if q.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.%d.%d", c.random.IntN(256), c.random.IntN(256)))
	for n := 0; n+1 < len(q.header); n += 2 {
		r.Header.Set(q.header[n], q.header[n+1])
	}
	response, err := c.http.Do(r)
	if err == nil {
		defer response.Body.Close()
		var body []byte
		if body, err = io.ReadAll(response.Body); err == nil {
			c.record.check(c.name+" "+q.what, response, body, q.want...)
			return body, response.Header, nil
		}
	}
	if c.down.Load() || c.processes() != before {
		return nil, nil, errStopped
	}
	return nil, nil, fmt.Errorf("%s: %w", q.what, err)
}

func (i *instance) processes() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.runs)
}

func (c *client) all(ctx context.Context, requests ...request) error {
	for _, q := range requests {
		if _, _, err := c.send(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// user does what users do, with a session of its own.
func (c *client) user(ctx context.Context) error {
	if c.cookie == "" {
		_, header, err := c.send(ctx, request{"login", "POST", "/login", `{"email":"bob@example.com","password":"` + password + `"}`, nil, []int{200}})
		if err != nil {
			return err
		}
		c.cookie, _, _ = strings.Cut(header.Get("Set-Cookie"), ";")
	}
	key := []string{"X-API-Key", aliceKey}
	cookie := []string{"Cookie", c.cookie}
	body, _, err := c.send(ctx, request{"create", "POST", "/projects",
		`{"name":"A project","summary":"A summary that is long enough to be one.","visibility":"team"}`, key, []int{201}})
	if err != nil {
		return err
	}
	var created struct{ Project struct{ ID string } }
	_ = json.Unmarshal(body, &created) // an empty id is refused below
	id := "mark-" + strconv.Itoa(c.random.Int())
	message, deliver := c.webhook(id), []int{204}
	return c.all(ctx,
		request{"rename", "PATCH", "/projects/" + created.Project.ID, `{"name":"Renamed"}`, key, []int{200}},
		request{"read", "GET", aliceProject, "", key, []int{200}},
		request{"read with a cookie", "GET", bobProject, "", cookie, []int{200}},
		request{"list", "GET", "/projects?limit=5", "", cookie, []int{200}},
		request{"search", "GET", "/search?q=renamed", "", nil, []int{200}},
		request{"stream", "POST", "/ai/complete", `{"prompt":"hello"}`, cookie, []int{200, 429}},
		request{"webhook", "POST", "/webhooks/billing", webhookBody, message, deliver},
		request{"webhook, repeated", "POST", "/webhooks/billing", webhookBody, message, deliver},
		request{"delete", "DELETE", "/projects/" + created.Project.ID, "", key, []int{204}},
		request{"read what is deleted", "GET", "/projects/" + created.Project.ID, "", key, []int{404}},
	)
}

const webhookBody = `{"type":"invoice.paid","data":{"amount":1}}`

// webhook signs webhookBody (Standard Webhooks).
func (c *client) webhook(id string) []string {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, webhookKey)
	_, _ = io.WriteString(mac, id+"."+now+"."+webhookBody)
	return []string{"Webhook-Id", id, "Webhook-Timestamp", now, "Webhook-Signature", "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}
}

// attacker does what must be refused.
func (c *client) attacker(ctx context.Context) error {
	key := func(more ...string) []string { return append([]string{"X-API-Key", aliceKey}, more...) }
	requests := []request{
		{"anonymous", "GET", "/me", "", nil, []int{401}},
		{"a forged token", "GET", "/me", "", []string{"Authorization", "Bearer " + secretMark + ".e30.AAAA"}, []int{401}},
		{"a forged key", "GET", "/me", "", []string{"X-API-Key", secretMark}, []int{401}},
		{"another's project", "GET", bobProject, "", key(), []int{404}},
		{"a change of another's project", "PATCH", bobProject, `{"name":"Taken over"}`, key(), []int{404}},
		{"a deletion of another's project", "DELETE", bobProject, "", key(), []int{404}},
		{"a missing project", "GET", "/projects/0198f000-0000-7000-8000-0000000fffff", "", key(), []int{404}},
		{"a malformed id", "GET", "/projects/%00" + secretMark, "", key(), []int{404}},
		{"a role that is missing", "POST", "/admin/users/bob/role", `{"role":"admin"}`, key(), []int{403}},
		{"bad JSON", "PATCH", aliceProject, `{"name":"` + secretMark, key(), []int{400}},
		{"an unknown field", "PATCH", aliceProject, `{"ownerId":"` + secretMark + `"}`, key(), []int{400}},
		{"a duplicate name", "PATCH", aliceProject, `{"name":"one","name":"` + secretMark + `"}`, key(), []int{400}},
		{"a broken rule", "PATCH", aliceProject, `{"visibility":"` + secretMark + `"}`, key(), []int{400}},
		{"a deep body", "PATCH", aliceProject, strings.Repeat(`{"a":`, 10_000), key(), []int{400}},
		{"a body that is too large", "PATCH", aliceProject, `{"name":"` + strings.Repeat("x", 300<<10) + `"}`, key(), []int{413}},
		{"another media type", "PATCH", aliceProject, `name=x`, key("Content-Type", "text/plain"), []int{415}},
		{"a cookie from another site", "POST", "/logout", "", []string{"Cookie", "__Host-session=x", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, []int{403}},
		{"an unsigned message", "POST", "/webhooks/billing", webhookBody, nil, []int{401}},
		{"a forged message", "POST", "/webhooks/billing", webhookBody, append(c.webhook("x")[:4:4], "Webhook-Signature", "v1,"+secretMark), []int{401}},
		{"a method that is not there", "PUT", aliceProject, `{}`, key(), []int{405}},
		{"a path that is not there", "GET", "/" + secretMark, "", nil, []int{404}},
		{"a huge header", "GET", "/me", "", []string{"X-Huge", strings.Repeat(secretMark, 60<<10/len(secretMark))}, []int{431}},
		{"many query pairs", "GET", "/search?q=ab" + strings.Repeat("&a=b", 1000), "", nil, []int{400}},
	}
	q := requests[c.random.IntN(len(requests))]
	_, _, err := c.send(ctx, q)
	if err != nil && q.want[0] >= 413 {
		c.record.answered(c.name+" "+q.what, "connection closed") // while it still sent what nobody wanted
		return nil
	}
	return err
}

// wrk is the good traffic of a tool that waits for nothing, if it is there.
func wrk(ctx context.Context, dir string, i *instance, r *record) {
	path, err := exec.LookPath("wrk")
	if err != nil {
		r.answered("wrk", "not in PATH: left out")
		return
	}
	end, _ := ctx.Deadline()
	seconds := int(time.Until(end).Seconds()) - 2
	script := filepath.Join(dir, "count.lua")
	if err := os.WriteFile(script, []byte(wrkScript), 0o600); err != nil {
		r.mistake("wrk: %v", err)
		return
	}
	cmd := exec.Command(path, "-t", "1", "-c", "8", "-d", strconv.Itoa(max(seconds, 1))+"s", "-H", "X-API-Key: "+aliceKey, "-s", script, i.url+aliceProject)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		r.mistake("wrk: %v", err)
		return
	}
	stop := context.AfterFunc(ctx, func() { sleep(context.Background(), 5*time.Second); _ = cmd.Process.Kill() })
	defer stop()
	err = cmd.Wait()
	found := false
	for line := range strings.Lines(out.String()) {
		if status, count, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "status "), ": "); ok && strings.Contains(line, "status ") {
			found = true
			r.answered("wrk", status+": "+count)
			if status >= "500" {
				r.mistake("wrk: %s times status %s", count, status)
			}
		}
		if strings.Contains(line, "Requests/sec") || strings.Contains(line, "Socket errors") {
			r.answered("wrk", strings.Join(strings.Fields(line), " "))
		}
	}
	if !found {
		r.mistake("wrk: %v: %s", err, &out)
	}
}

const wrkScript = `
local threads = {}
counts = ""
function setup(thread) table.insert(threads, thread) end
function init() seen = {} end
function response(status)
  seen[status] = (seen[status] or 0) + 1
  counts = ""
  for s, n in pairs(seen) do counts = counts .. "status " .. s .. ": " .. n .. "\n" end
end
function done() for _, thread in ipairs(threads) do io.write(thread:get("counts")) end end
`
