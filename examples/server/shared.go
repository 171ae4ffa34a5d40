package main

import (
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/redisstore"
)

// sharedStore connects to the Redis that all instances share, or returns nil where there is none. It does not dial: the
// service starts, and serves, while Redis is down.
func (c config) sharedStore() (*redisstore.Store, error) {
	if c.redisURL == nil {
		return nil, nil
	}
	// Longer than the default: a busy laptop is not an outage.
	return redisstore.Connect(string(c.redisURL), redisstore.Options{Prefix: "projects", Timeout: 100 * time.Millisecond})
}

// limiter counts in shared, or in this process where that is nil.
func (c config) limiter(shared *redisstore.Store) *guard.Limiter {
	if shared == nil {
		return &guard.Limiter{}
	}
	outage := map[string]guard.Outage{
		outageLocal:  guard.OutageLocal,
		outageOpen:   guard.OutageOpen,
		outageClosed: guard.OutageClosed,
	}[c.limiterOutage]
	return &guard.Limiter{Store: shared, Outage: outage}
}
