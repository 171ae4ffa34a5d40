package main

import (
	"context"
	"fmt"
	"io"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/store"
)

// UploadAvatar is a form with one picture. What it is, its first bytes say: browsers and scripts declare all sorts of
// things. The store takes the same types and size.
type UploadAvatar struct {
	Avatar guard.File `form:"avatar" file:"max=1MiB,types=image/png image/jpeg,declared=any"`
}

type SavedAvatar struct {
	Avatar AvatarView `json:"avatar"`
}

type AvatarView struct {
	ContentType string `json:"contentType"`
	Size        int64  `json:"size"`
}

// uploadAvatar keeps a picture as it came. No route shows it: one that does must decode it first, with a bound on its pixels,
// and send what it has drawn anew, since anything may follow or hide in a picture.
func (a *app) uploadAvatar(ctx context.Context, c *guard.Call[*Session, UploadAvatar, guard.None]) (guard.Reply[SavedAvatar], error) {
	var none guard.Reply[SavedAvatar]
	data, err := content(c.Input.Avatar)
	if err != nil {
		return none, err
	}
	contentType := c.Input.Avatar.ContentType()
	if err := a.store.SaveAvatar(ctx, c.Caller.User.ID, contentType, data); err != nil {
		return none, err
	}
	return guard.Reply[SavedAvatar]{Status: 201, Body: SavedAvatar{AvatarView{ContentType: contentType, Size: int64(len(data))}}}, nil
}

// content reads a file that the guard has bounded.
func content(f guard.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("open the avatar: %w", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, store.MaxAvatar+1))
	if err != nil {
		return nil, fmt.Errorf("read the avatar: %w", err)
	}
	return data, nil
}
