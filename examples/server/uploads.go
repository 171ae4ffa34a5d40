package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/store"
)

// UploadAvatar is a form with one picture. What it is, its content says: browsers and scripts declare all sorts of things.
type UploadAvatar struct {
	Avatar guard.File `form:"avatar" file:"max=1MiB,types=image/png image/jpeg,declared=any"`
}

type SavedAvatar struct {
	Avatar AvatarView `json:"avatar"`
}

// AvatarView is a picture as it was sent. What is kept of it may have another size.
type AvatarView struct {
	ContentType string `json:"contentType"`
	Size        int64  `json:"size"`
}

func (a *app) uploadAvatar(ctx context.Context, c *guard.Call[*Session, UploadAvatar, guard.None]) (guard.Reply[SavedAvatar], error) {
	var none guard.Reply[SavedAvatar]
	file, err := content(c.Input.Avatar)
	if err != nil {
		return none, err
	}
	picture, err := a.redrawn(ctx, file)
	if err != nil {
		return none, err
	}
	contentType := c.Input.Avatar.ContentType()
	if err := a.store.SaveAvatar(ctx, c.Caller.User.ID, contentType, picture); err != nil {
		return none, err
	}
	return guard.Reply[SavedAvatar]{Status: 201, Body: SavedAvatar{AvatarView{ContentType: contentType, Size: int64(len(file))}}}, nil
}

// maxPixels bounds what a picture unfolds to: a file of some hundred bytes can ask for 60,000 × 60,000 pixels. The file
// has at most 1 MiB, and its pixels take 16 MiB (4 bytes each). The worst that a decoder is asked for, the coefficients of a
// progressive JPEG in four inks, stays below 150 MiB.
const maxPixels = 2048 * 2048

// maxScans bounds how often a JPEG passes over its pixels. Encoders write some ten scans. One that changes nothing has 18 bytes
// and takes milliseconds, so that a file of 1 MiB could keep a processor busy for minutes.
const maxScans = 64

var startOfScan = []byte{0xff, 0xda} // within the data of a scan, a zero follows each 0xff

var (
	errPixels  = guard.Invalid("/avatar", "pixels", "must have at most 2048 × 2048 pixels")
	errPicture = guard.Invalid("/avatar", "picture", "must be a whole PNG or JPEG picture")
	errDetail  = guard.Invalid("/avatar", "detail", "must be a picture with less detail")
)

// content reads a file that the guard has bounded.
func content(f guard.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("open the avatar: %w", err)
	}
	defer r.Close()
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read the avatar: %w", err)
	}
	return file, nil
}

// redrawn returns the picture of a file, drawn anew. Others will see it, so that nothing of the file itself is kept: what
// follows the picture or hides in it, such as a script for a browser that guesses, or where a photo was taken, is gone.
//
// One picture is drawn at a time, so that many uploads take no more memory than one.
func (a *app) redrawn(ctx context.Context, file []byte) ([]byte, error) {
	a.drawing.Lock()
	defer a.drawing.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	head, format, err := image.DecodeConfig(bytes.NewReader(file))
	switch {
	case err != nil:
		return nil, errPicture
	case int64(head.Width)*int64(head.Height) > maxPixels: // on 32 bits, too
		return nil, errPixels
	case format == "jpeg" && bytes.Count(file, startOfScan) > maxScans:
		return nil, errDetail
	}
	picture, _, err := image.Decode(bytes.NewReader(file))
	if err != nil || picture.Bounds().Empty() {
		return nil, errPicture
	}
	return encoded(picture, format)
}

// encoded returns a picture in the format that it came in.
func encoded(picture image.Image, format string) ([]byte, error) {
	var b bytes.Buffer
	encode := png.Encode
	if format == "jpeg" {
		encode = func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, &jpeg.Options{Quality: 90}) }
	}
	if err := encode(&b, picture); err != nil {
		return nil, fmt.Errorf("draw the avatar: %w", err)
	}
	if b.Len() > store.MaxAvatar {
		return nil, errDetail
	}
	return b.Bytes(), nil
}
