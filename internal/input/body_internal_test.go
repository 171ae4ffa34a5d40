package input

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

type secretBody struct {
	Name  string         `json:"name"`
	Tags  []string       `json:"tags"`
	Bytes []byte         `json:"bytes"`
	Map   map[string]any `json:"map" validate:"max=9" guard:"any=9"`
	Raw   rawCopy        `json:"raw"`
	Lev   keepsText      `json:"lev"`
}

// rawCopy and keepsText keep what they are given, which their interfaces forbid and people do.
type rawCopy []byte

func (r *rawCopy) UnmarshalJSON(b []byte) error { *r = b; return nil }

type keepsText struct{ kept []byte }

func (k *keepsText) UnmarshalText(b []byte) error { k.kept = b; return nil }

func secretRequest(secret string) *http.Request {
	body := fmt.Sprintf(`{"name":%[1]q,"tags":[%[1]q,"\u0041%[1]s"],"bytes":"AQID","map":{%[1]q:%[1]q},"raw":[%[1]q],"lev":%[1]q}`, secret)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// poison fills every buffer that the next request may be given.
func poison(p *Plan) {
	s := p.takeScratch()
	s.buf = s.buf[:cap(s.buf)]
	for i := range s.buf {
		s.buf[i] = 0xAA
	}
	s.buf = s.buf[:0]
	s.json.scratch = bytes.Repeat([]byte{0xAA}, 100)[:0]
	p.pool.Put(s)
}

// TestDecodedValuesOutliveTheBuffer: a value that aliases the pooled buffer would change under its owner.
func TestDecodedValuesOutliveTheBuffer(t *testing.T) {
	p, err := Compile(reflect.TypeFor[secretBody](), Config{Kind: JSON})
	if err != nil {
		t.Fatal(err)
	}
	var kept []secretBody
	for i := range 50 {
		var v secretBody
		if _, fail := p.Decode(context.Background(), httptest.NewRecorder(), secretRequest(fmt.Sprintf("secret-%03d", i)), &v); fail != nil {
			t.Fatalf("%+v", fail)
		}
		kept = append(kept, v)
		poison(p)
	}
	for i, v := range kept {
		want := fmt.Sprintf("secret-%03d", i)
		got := []string{v.Name, v.Tags[0], strings.TrimPrefix(v.Tags[1], "A"), v.Map[want].(string), strings.Trim(string(v.Raw), `[]"`), string(v.Lev.kept)}
		for j, g := range got {
			if g != want {
				t.Errorf("value %d of request %d: got %q, want %q", j, i, g, want)
			}
		}
	}
}

// TestPooledBuffersAreWiped looks into the pool after every way out.
func TestPooledBuffersAreWiped(t *testing.T) {
	p, err := Compile(reflect.TypeFor[secretBody](), Config{Kind: JSON})
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{
		"a good body":    `{"name":"secret"}`,
		"a bad body":     `{"secret\u0041":"secret","name":"\u0041secret"}`,
		"a broken body":  `{"name":"secret`,
		"a bad UTF-8":    "{\"name\":\"secret\xff\"}",
		"a growing body": `{"name":"` + strings.Repeat("secret", 2000) + `"}`,
	}
	for name, text := range bodies {
		keeping := p.KeepingBody()
		for _, plan := range []*Plan{p, keeping} {
			r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader(text)))
			r.ContentLength = -1
			r.Header.Set("Content-Type", "application/json")
			s := newScratch()
			p.pool = &sync.Pool{New: func() any { return s }}
			plan.pool = p.pool
			var v secretBody
			body, fail := plan.Decode(context.Background(), httptest.NewRecorder(), r, &v)
			body.Close()
			if fail != nil {
				fail.Release()
			}
			if bytes.Contains(s.buf[:cap(s.buf)], []byte("secret")) || bytes.Contains(s.json.scratch[:cap(s.json.scratch)], []byte("secret")) ||
				len(s.out.list)+len(s.out.worded)+len(s.json.body)+len(s.json.texts) > 0 {
				t.Errorf("%s: the pool keeps the request", name)
			}
		}
	}
}

// TestLargeBuffers bounds what is kept of a body for other requests: of a plan its own small buffer, and of a large
// one nothing but the buffer, which all plans share.
func TestLargeBuffers(t *testing.T) {
	p, err := Compile(reflect.TypeFor[secretBody](), Config{Kind: JSON, MaxBody: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		size int
		want bool // a large buffer is kept
	}{{100, false}, {60 << 10, false}, {64<<10 - 11, false}, {64<<10 - 10, true}, {200 << 10, true}, {1<<20 - 11, true}, {1 << 20, false}} {
		var kept []byte
		for range 100 { // a pool forgets at will
			largeBuffers = sync.Pool{}
			s := newScratch()
			p.pool = &sync.Pool{New: func() any { return s }}
			var v secretBody
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"name":"`+strings.Repeat(`\u0041`, tt.size/6)+strings.Repeat("x", tt.size%6)+`"}`))
			r.Header.Set("Content-Type", "application/json")
			if _, fail := p.Decode(context.Background(), httptest.NewRecorder(), r, &v); fail != nil {
				t.Fatalf("%+v", fail)
			}
			p.pool.New = nil
			again, _ := p.pool.Get().(*scratch)
			if again != nil && (cap(again.buf) == 0 || cap(again.buf) > maxOwnBuffer || cap(again.json.scratch) > maxOwnBuffer || again.own != nil) {
				t.Errorf("%d bytes: kept a buffer of %d and one of %d", tt.size, cap(again.buf), cap(again.json.scratch))
			}
			if again != nil && !wiped(again.buf) {
				t.Errorf("%d bytes: the small buffer shows the body", tt.size)
			}
			if b, ok := largeBuffers.Get().(*[]byte); ok {
				kept = *b
				break
			}
			if !tt.want {
				break
			}
		}
		if got := kept != nil; got != tt.want {
			t.Errorf("%d bytes: kept a large buffer: %v, want %v", tt.size, got, tt.want)
		}
		if !wiped(kept) {
			t.Errorf("%d bytes: the large buffer shows the body", tt.size)
		}
	}
}

func wiped(b []byte) bool {
	return !slices.ContainsFunc(b[:cap(b)], func(c byte) bool { return c != 0 })
}

// slowBody gives its bytes in pieces, and calls seen before each.
type slowBody struct {
	rest []byte
	seen func()
}

func (b *slowBody) Read(p []byte) (int, error) {
	b.seen()
	n := copy(p[:min(len(p), 1000)], b.rest)
	b.rest = b.rest[n:]
	if len(b.rest) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (b *slowBody) Close() error { return nil }

// TestBufferGrowth bounds the memory of a body by what has come of it, whatever length it declares.
func TestBufferGrowth(t *testing.T) {
	tests := []struct {
		name           string
		declared, sent int
		buf            int // capacity at the start
		most           int // bytes of all buffers
	}{
		{name: "a small body fits", declared: 4000, sent: 4000, buf: 4 << 10, most: 0},
		{name: "a body fills its buffer", declared: 4 << 10, sent: 4 << 10, buf: 4 << 10, most: 0},
		{name: "a body is read into one buffer of its size", declared: 40 << 10, sent: 40 << 10, buf: 4 << 10, most: 40<<10 + 1},
		{name: "there is no buffer at first", declared: 40 << 10, sent: 40 << 10, most: 40<<10 + 1},
		{name: "a large body takes little more than its size", declared: 1 << 20, sent: 1 << 20, buf: 4 << 10, most: 1<<20 + 64<<10 + 2},
		{name: "a large body that never comes", declared: 1 << 30, sent: 4000, buf: 4 << 10, most: 0},
		{name: "a large body that stops early", declared: 1 << 30, sent: 60 << 10, buf: 4 << 10, most: 64<<10 + 1},
		{name: "a length that is not declared", declared: -1, sent: 100 << 10, buf: 4 << 10, most: 248 << 10},
		{name: "a length that is too small", declared: 5000, sent: 100 << 10, buf: 4 << 10, most: 5001 * 63},
	}
	for _, tt := range tests {
		largeBuffers = sync.Pool{}
		s := &scratch{buf: make([]byte, 0, tt.buf)}
		sum, last := 0, tt.buf
		body := &slowBody{rest: bytes.Repeat([]byte("x"), tt.sent)}
		body.seen = func() {
			if cap(s.buf) != last {
				sum, last = sum+cap(s.buf), cap(s.buf)
			}
			if allowed := max(maxOwnBuffer, believedTimes*len(s.buf)); cap(s.buf) > allowed {
				t.Errorf("%s: after %d bytes: got a buffer of %d, want at most %d", tt.name, len(s.buf), cap(s.buf), allowed)
			}
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Body, r.ContentLength = body, int64(tt.declared)
		if err := s.readAll(httptest.NewRecorder(), r, 1<<30); err != nil || len(s.buf) != tt.sent {
			t.Errorf("%s: got %d bytes, %v, want %d", tt.name, len(s.buf), err, tt.sent)
		}
		if sum > tt.most {
			t.Errorf("%s: got buffers of %d bytes, want at most %d", tt.name, sum, tt.most)
		}
	}
}

// TestBodyReader covers the body that a wrapped handler reads.
func TestBodyReader(t *testing.T) {
	p, err := Compile(reflect.TypeFor[secretBody](), Config{Kind: JSON})
	if err != nil {
		t.Fatal(err)
	}
	p = p.KeepingBody()
	const text = ` {"name":"x"} `
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	var v secretBody
	body, fail := p.Decode(context.Background(), httptest.NewRecorder(), r, &v)
	if fail != nil {
		t.Fatalf("%+v", fail)
	}
	for range 2 {
		rc := body.Reader()
		if got, err := io.ReadAll(rc); err != nil || string(got) != text || body.Len() != int64(len(text)) {
			t.Errorf("got %q, %v, length %d", got, err, body.Len())
		}
		if err := rc.Close(); err != nil {
			t.Error(err)
		}
	}
	late := body.Reader()
	buf := make([]byte, 3)
	if n, err := late.Read(buf); n != 3 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	body.Close()
	body.Close()
	if n, err := late.Read(buf); n != 0 || err != http.ErrBodyReadAfterClose {
		t.Errorf("after Close: got %d, %v", n, err)
	}
	if got, err := io.ReadAll(body.Reader()); len(got) > 0 || err != nil || body.Len() != 0 {
		t.Errorf("a reader made after Close: got %q, %v", got, err)
	}
	var none *Body
	none.Close()
	if got, err := io.ReadAll(none.Reader()); len(got) > 0 || err != nil || none.Len() != 0 {
		t.Errorf("no body: got %q, %v", got, err)
	}
}

type replayForm struct {
	Title string `form:"title" normalize:"trim"`
	File  *File  `form:"file" file:"max=100KiB,types=text/plain"`
}

// TestFormReplay gives a wrapped handler the form again, and net/http's own parser reads it.
func TestFormReplay(t *testing.T) {
	p, err := Compile(reflect.TypeFor[replayForm](), Config{Kind: Form})
	if err != nil {
		t.Fatal(err)
	}
	p = p.KeepingBody()
	content := strings.Repeat("x", 90<<10)
	sent := "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n hi\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../a\\\"b.txt\"\r\nContent-Type: text/plain\r\n\r\n" + content + "\r\n--b--\r\n"
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(sent))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	var v replayForm
	body, fail := p.Decode(context.Background(), httptest.NewRecorder(), r, &v)
	if fail != nil {
		t.Fatalf("%+v", fail)
	}
	again := r.Clone(context.Background())
	again.Body, again.ContentLength = body.Reader(), body.Len()
	if err := again.ParseMultipartForm(1 << 20); err != nil {
		t.Fatal(err)
	}
	if got := again.FormValue("title"); got != " hi" {
		t.Errorf("title: got %q", got)
	}
	f, h, err := again.FormFile("file")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || string(got) != content || h.Filename != `a"b.txt` {
		t.Errorf("file: got %d bytes, %v, %q", len(got), err, h.Filename)
	}
	all, err := io.ReadAll(body.Reader())
	if err != nil || int64(len(all)) != body.Len() {
		t.Errorf("got %d bytes, %v, want %d", len(all), err, body.Len())
	}
	late := body.Reader()
	body.Close()
	if got, err := io.ReadAll(late); bytes.Contains(got, []byte("xxx")) || err == nil {
		t.Errorf("after Close: got %d bytes, %v", len(got), err)
	}

	r = httptest.NewRequest(http.MethodPost, "/", strings.NewReader("title=a+b"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	body, fail = p.Decode(context.Background(), httptest.NewRecorder(), r, new(replayForm))
	if verdictOf(fail) != "415" {
		t.Errorf("an urlencoded body for a form with files: got %+v, %v", fail, body)
	}
}

func verdictOf(f *Failure) string {
	if f == nil {
		return "ok"
	}
	return fmt.Sprint(f.Status)
}

// TestConcurrentRequestsDoNotMix runs under the race detector.
func TestConcurrentRequestsDoNotMix(t *testing.T) {
	p, err := Compile(reflect.TypeFor[secretBody](), Config{Kind: JSON})
	if err != nil {
		t.Fatal(err)
	}
	keeping := p.KeepingBody()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 100 {
				secret := fmt.Sprintf("secret-%d-%d", g, i)
				plan := p
				if i%2 == 0 {
					plan = keeping
				}
				var v secretBody
				body, fail := plan.Decode(context.Background(), httptest.NewRecorder(), secretRequest(secret), &v)
				if fail != nil || v.Name != secret {
					t.Errorf("got %q, %+v, want %q", v.Name, fail, secret)
				}
				if i%2 == 0 {
					if got, _ := io.ReadAll(body.Reader()); !bytes.Contains(got, []byte(secret)) {
						t.Errorf("the kept body is another's: %q", got)
					}
				}
				body.Close()
			}
		}()
	}
	wg.Wait()
}
