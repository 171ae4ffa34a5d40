package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// rawAttack is what no HTTP client would send, over a connection of its own.
type rawAttack struct {
	what  string
	do    func(net.Conn) (string, error) // what happened
	wants []string                       // beginnings of what may happen
}

const post = "POST /contact HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

// raw are the connections that misbehave. What is refused here is net/http's to refuse, under the server's settings.
var raw = []rawAttack{
	{"a body that trickles", func(c net.Conn) (string, error) {
		fmt.Fprint(c, post+"Content-Length: 1000\r\n\r\n{")
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			if _, err := io.WriteString(c, " "); err != nil {
				break
			}
		}
		return firstStatus(c)
	}, []string{"408", "429", "closed"}},
	{"a header that trickles", func(c net.Conn) (string, error) {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n")
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			if _, err := io.WriteString(c, "A"); err != nil {
				break
			}
		}
		return firstStatus(c)
	}, []string{"408", "400", "closed"}},
	{"a reader that does not read", func(c net.Conn) (string, error) {
		for range 50 {
			fmt.Fprint(c, "GET /page.js HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		time.Sleep(3 * time.Second)
		return "left", nil
	}, []string{"left"}},
	{"ten requests at once", func(c net.Conn) (string, error) {
		fmt.Fprint(c, strings.Repeat("GET /me HTTP/1.1\r\nHost: x\r\n\r\n", 10))
		in := bufio.NewReader(c)
		for range 10 {
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				return "", err
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if r.StatusCode != http.StatusUnauthorized {
				return r.Status, nil
			}
		}
		return "ten refusals", nil
	}, []string{"ten refusals"}},
	{"two lengths", smuggle("Content-Length: 5\r\nContent-Length: 50\r\n\r\nabcde"), []string{"400"}},
	// net/http reads the chunks, forgets the length, and answers what follows them: a guard cannot see that there were two.
	{"a length and chunks", smuggle("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /me HTTP/1.1\r\nHost: x\r\n\r\n"), []string{"400 and then 401", "429 Too Many Requests"}},
	{"an unknown transfer coding", smuggle("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), []string{"501", "400"}},
	{"a bare line feed in a chunk", smuggle("Transfer-Encoding: chunked\r\n\r\n5\nabcde\r\n0\r\n\r\n"), []string{"400", "429"}},
	{"a space before a colon", smuggle("Content-Length : 5\r\n\r\nabcde"), []string{"400"}},
	{"an end in the middle of a body", func(c net.Conn) (string, error) {
		fmt.Fprint(c, post+"Content-Length: 1000\r\n\r\n{\"email\":")
		return "left", nil
	}, []string{"left"}},
	{"not HTTP", func(c net.Conn) (string, error) {
		fmt.Fprint(c, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
		return firstStatus(c)
	}, []string{"400"}},
}

// smuggle sends a request whose end two readers might see in different places. There must be one answer, and none to what
// hides behind it.
func smuggle(rest string) func(net.Conn) (string, error) {
	return func(c net.Conn) (string, error) {
		fmt.Fprint(c, post+rest)
		in := bufio.NewReader(c)
		first, err := http.ReadResponse(in, nil)
		if err != nil {
			return "", err
		}
		_, _ = io.Copy(io.Discard, first.Body)
		if second, err := http.ReadResponse(in, nil); err == nil {
			return fmt.Sprintf("%d and then %d", first.StatusCode, second.StatusCode), nil
		}
		return first.Status, nil
	}
}

// firstStatus is the status of the next response, or that there is none.
func firstStatus(c net.Conn) (string, error) {
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "closed", nil
	}
	_ = r.Body.Close()
	return r.Status, nil
}

// rawWorker repeats an attack. What happens while the instance is restarted is no mistake.
func rawWorker(ctx context.Context, i *instance, r *record, attack rawAttack) {
	addr := strings.TrimPrefix(i.url, "http://")
	for sleep(ctx, 500*time.Millisecond) {
		before := i.processes()
		happened, err := func() (string, error) {
			c, err := net.DialTimeout("tcp", addr, time.Second)
			if err != nil {
				return "", err
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			return attack.do(c)
		}()
		if ctx.Err() != nil {
			return
		}
		if i.down.Load() || i.processes() != before {
			continue
		}
		if err != nil {
			happened = "error: " + err.Error()
		}
		r.answered("raw: "+attack.what, happened)
		expected := false
		for _, want := range attack.wants {
			expected = expected || happened == want || strings.HasPrefix(happened, want) && !strings.Contains(happened, " and then ")
		}
		if !expected {
			r.mistake("raw: %s: got %s, want one of %q", attack.what, happened, attack.wants)
		}
	}
}
