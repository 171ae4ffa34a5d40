package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/routeguard/guard"
)

const (
	webhookPrefix = "whsec_"
	maxKeyFile    = 64 << 10 // bytes
)

// secret is a value that must not be seen. However it is printed, logged or encoded, it is "[secret]"; string(s) shows it.
type secret []byte

// Format keeps the value out of what package fmt prints, whatever the verb.
func (s secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// MarshalText keeps the value out of JSON and of structured logs.
func (s secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// jwtKeys returns the one key that session tokens are verified with. If both settings are there, the RSA key wins and
// the HS256 key, although checked, is dropped: with both at hand, a token signed with the wrong one could slip through.
func (e *environment) jwtKeys(hs256Name, rs256Name string) (secret, *rsa.PublicKey) {
	hs256 := e.hs256Key(hs256Name)
	path := e.getenv(rs256Name)
	if path == "" {
		return hs256, nil
	}
	const instead = "; write the path of a PEM file with one RSA public key of 2048 to 8192 bits"
	key, err := readRSAPublicKey(path)
	if err != nil {
		e.mistake(rs256Name, "%v%s", err, instead)
		return nil, nil
	}
	e.tokenKey(rs256Name, "RS256", key, instead)
	return nil, key
}

// tokenKey notes why guard would not verify tokens with a key. It has nothing else to object to here.
func (e *environment) tokenKey(name, algorithm string, key any, instead string) {
	_, err := guard.NewJWT(guard.JWT{Issuer: "any", Audience: []string{"any"}, Algorithms: []string{algorithm}, Key: key})
	e.mistakesOf(name, err, instead)
}

func (e *environment) hs256Key(name string) secret {
	v := e.getenv(name)
	if v == "" {
		return randomKey()
	}
	const instead = "; write the output of: openssl rand -base64 32"
	key, ok := decodeBase64(v)
	if !ok {
		e.mistake(name, "is not one line of standard base64 with padding%s", instead)
		return nil
	}
	e.tokenKey(name, "HS256", key, instead)
	return key
}

// decodeBase64 takes no line breaks, which package base64 skips: the value would not be the one that others have.
func decodeBase64(v string) (decoded []byte, ok bool) {
	decoded, err := base64.StdEncoding.Strict().DecodeString(v)
	return decoded, err == nil && !strings.ContainsAny(v, "\r\n")
}

func (e *environment) webhookSecret(name string) secret {
	v := e.getenv(name)
	if v == "" {
		return randomKey()
	}
	const instead = "; write whsec_ and the output of: openssl rand -base64 32"
	encoded, ok := strings.CutPrefix(v, webhookPrefix) // without it, guard would take a public key, too
	if !ok {
		e.mistake(name, "does not start with %s%s", webhookPrefix, instead)
		return nil
	}
	_, err := guard.Signed(guard.Webhook{Secrets: []string{v}})
	e.mistakesOf(name, err, instead)
	key, ok := decodeBase64(encoded)
	if err == nil && !ok {
		e.mistake(name, "is not one line of standard base64 with padding after %s%s", webhookPrefix, instead)
	}
	return key
}

// randomKey returns the key of a service that was given none. Its tokens and signatures end with the process.
func randomKey() secret {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return key
}

// readRSAPublicKey reads the one key of a PEM file. Its errors repeat neither the path nor the content: the setting may
// hold the key itself by mistake.
func readRSAPublicKey(path string) (*rsa.PublicKey, error) {
	content, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(content)
	if block == nil {
		return nil, errors.New("the file has no PEM block")
	}
	if bytes.Count(content, []byte("-----BEGIN")) > 1 {
		return nil, errors.New("the file has more than one PEM block")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("the file goes on after the key")
	}
	return parseRSAPublicKey(block)
}

func parseRSAPublicKey(block *pem.Block) (*rsa.PublicKey, error) {
	switch {
	case block.Type == "RSA PUBLIC KEY":
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the key is malformed")
		}
		return key, nil
	case block.Type == "PUBLIC KEY":
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the key is malformed")
		}
		key, ok := parsed.(*rsa.PublicKey)
		if !ok {
			return nil, errors.New("the key is not an RSA key")
		}
		return key, nil
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("the file has a private key, which this service must not have")
	default:
		return nil, errors.New("the file has no public key")
	}
}

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(content) > maxKeyFile {
		return nil, errors.New("the file is too large")
	}
	return content, nil
}

// withoutPath returns the cause of a file error, such as "no such file or directory".
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return errors.New("the file cannot be read")
}
