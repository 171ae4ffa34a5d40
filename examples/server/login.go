package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/store"
)

type Login struct {
	Email    string `json:"email"    normalize:"trim" validate:"required,email,max=254"`
	Password string `json:"password" validate:"required,max=200"`
}

// account is what failed sign-ins are counted by: one spelling for each account.
func (l Login) account() string { return store.CanonicalEmail(l.Email) }

type SignedIn struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// errWrongPassword is one answer for a wrong password, an unknown account and a disabled one.
var errWrongPassword = guard.Fail(http.StatusUnauthorized, "wrong_credentials", "The e-mail address or the password is wrong.")

func (a *app) login(ctx context.Context, c *guard.Call[guard.Anonymous, Login, guard.None]) (guard.Reply[SignedIn], error) {
	var none guard.Reply[SignedIn]
	user, err := a.store.UserByEmail(ctx, c.Input.Email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return none, err
	}
	if err := a.checkPassword(ctx, user, c.Input.Password); err != nil {
		return none, err
	}
	if user.Disabled {
		return none, errWrongPassword.Because(errors.New("the user is disabled"))
	}
	token, expires, err := a.tokens.sign(user.ID, time.Now())
	if err != nil {
		return none, err
	}
	return guard.Reply[SignedIn]{
		Cookies: []*http.Cookie{sessionCookie.Set(token, expires)},
		Body:    SignedIn{Token: token, ExpiresAt: expires},
	}, nil
}

// checkPassword does the same work for an unknown account, so that the time it takes tells nothing.
func (a *app) checkPassword(ctx context.Context, user *store.User, password string) error {
	if user == nil {
		if err := a.passwords.VerifyUnknown(ctx, password); err != nil {
			return err
		}
		return errWrongPassword.Because(store.ErrNotFound)
	}
	ok, err := a.passwords.Verify(ctx, user.PasswordHash, password)
	if err != nil {
		return err
	}
	if !ok {
		return errWrongPassword.Because(errors.New("wrong password of user " + user.ID))
	}
	return nil
}

func (a *app) logout(ctx context.Context, c *guard.Call[*Session, guard.None, guard.None]) (guard.Reply[guard.None], error) {
	if err := a.store.Revoke(ctx, c.Caller.TokenID, c.Caller.Expires); err != nil {
		return guard.Reply[guard.None]{}, err
	}
	return guard.Reply[guard.None]{Cookies: []*http.Cookie{sessionCookie.Clear()}}, nil
}

type Me struct {
	User MeUser `json:"user"`
}

type MeUser struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Role  string `json:"role"`
}

func (a *app) me(_ context.Context, c *guard.Call[*Session, guard.None, guard.None]) (Me, error) {
	u := c.Caller.User
	return Me{MeUser{ID: u.ID, Email: u.Email, Role: u.Role}}, nil
}
