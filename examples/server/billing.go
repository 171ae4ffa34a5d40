package main

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/redisstore"
)

// billingSender says whose messages the billing route accepts. A delivered one is remembered for a day: in shared, or in
// this process where that is nil.
func (c config) billingSender(shared *redisstore.Store) guard.Webhook {
	w := guard.Webhook{Secrets: []string{webhookPrefix + base64.StdEncoding.EncodeToString(c.webhookSecret)}}
	if shared != nil {
		w.Replay = shared
	}
	return w
}

type BillingEvent struct {
	Type string          `json:"type" validate:"required,max=100"`
	Data json.RawMessage `json:"data" validate:"required" guard:"any=1000"`
}

// billingEvent runs once for each message, and again only if it failed. The id is the key of the row as well, so that
// even a message that this process forgot is recorded once.
func (a *app) billingEvent(ctx context.Context, c *guard.Call[guard.Message, BillingEvent, guard.None]) (guard.None, error) {
	return guard.None{}, a.store.RecordBillingEvent(ctx, c.Caller.ID, c.Input.Type, c.Input.Data)
}
