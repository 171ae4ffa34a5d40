package redisstore

import (
	"context"
	"crypto/sha1" //nolint:gosec // the name of a script, as Redis defines it
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// harden sets what keeps a request from waiting for Redis.
func harden(o *redis.Options, timeout time.Duration) {
	o.ContextTimeoutEnabled = true // without it, context deadlines are ignored
	o.MaxRetries = -1              // the breaker decides when to try again
	o.DialerRetries = 1
	o.DialTimeout = max(time.Second, timeout) // behind the request, which waits for its timeout only
	o.ReadTimeout = timeout
	o.WriteTimeout = timeout
	o.PoolTimeout = timeout
	o.DisableIdentity = true // two commands less on a new connection
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// checkClient reports what can be seen to be wrong with a client.
func checkClient(client redis.UniversalClient) error {
	if v := reflect.ValueOf(client); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return errors.New("redisstore: the client is nil: pass one, or use Connect")
	}
	deadlines, retries := true, 0
	switch c := client.(type) {
	case *redis.Client:
		deadlines, retries = c.Options().ContextTimeoutEnabled, c.Options().MaxRetries
	case *redis.ClusterClient:
		// It always retries up to MaxRedirects times; what takes tokens says NoRetry.
		deadlines = c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		deadlines, retries = c.Options().ContextTimeoutEnabled, c.Options().MaxRetries
	}
	var errs []error
	if !deadlines {
		errs = append(errs, errors.New("redisstore: the client ignores deadlines: set ContextTimeoutEnabled, or use Connect"))
	}
	if retries > 0 {
		errs = append(errs, fmt.Errorf("redisstore: the client retries %d times: set MaxRetries to -1, or use Connect", retries))
	}
	return errors.Join(errs...)
}

// script is a Lua script, known to Redis by its digest.
type script struct{ source, digest string }

func newScript(source string) *script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // see above
	return &script{source, hex.EncodeToString(sum[:])}
}

var (
	//go:embed lua/take.lua
	takeSource string
	//go:embed lua/refund.lua
	refundSource string
	//go:embed lua/acquire.lua
	acquireSource string
	//go:embed lua/claim.lua
	claimSource string
	//go:embed lua/release.lua
	releaseSource string

	takeScript    = newScript(takeSource)
	refundScript  = newScript(refundSource)
	acquireScript = newScript(acquireSource)
	claimScript   = newScript(claimSource)
	releaseScript = newScript(releaseSource)
)

// run runs a script. Where Redis does not know it, after a restart or a SCRIPT FLUSH,
// nothing has run yet and its source is sent.
func (s *Store) run(ctx context.Context, sc *script, keys []string, args ...any) (any, error) {
	var reply any
	err := s.ask(ctx, func(ctx context.Context) (err error) {
		reply, err = s.eval(ctx, "evalsha", sc.digest, keys, args)
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			reply, err = s.eval(ctx, "eval", sc.source, keys, args)
		}
		return err
	})
	return reply, err
}

func (s *Store) eval(ctx context.Context, name, body string, keys []string, args []any) (any, error) {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, name, body, len(keys))
	for _, k := range keys {
		all = append(all, k)
	}
	cmd := once{redis.NewCmd(ctx, append(all, args...)...)}
	cmd.SetFirstKeyPos(3)
	if err := s.client.Process(ctx, cmd); err != nil {
		return nil, err
	}
	return cmd.Result()
}

// once is a command that no client repeats, whatever its options: a repeated charge
// would be charged twice.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }
