package strictjwt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // so that every hash below is linked in
	_ "crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

const (
	minRSABits = 2048      // RFC 7518, section 3.3
	maxRSABits = 8192      // above it, one verification costs milliseconds
	maxRSAExp  = 1<<31 - 1 // the limit of crypto/rsa
)

// algorithm is one value of alg with the keys that fit it.
//
// The methods are values of this package: those that the library exports are
// variables that any package of the program may replace.
type algorithm struct {
	name   string
	family string // keys that fit two algorithms of one family fit both
	method jwt.SigningMethod
	hash   crypto.Hash    // of an HMAC, whose size is the least length of a key
	curve  elliptic.Curve // of an ECDSA key
}

// algorithms are those of RFC 7518, section 3.1, and RFC 8037, section 3.1,
// that may be pinned. There is no "none" to pin.
var algorithms = map[string]algorithm{
	"HS256": hmacAlgorithm("HS256", crypto.SHA256),
	"HS384": hmacAlgorithm("HS384", crypto.SHA384),
	"HS512": hmacAlgorithm("HS512", crypto.SHA512),
	"RS256": rsaAlgorithm("RS256", crypto.SHA256),
	"RS384": rsaAlgorithm("RS384", crypto.SHA384),
	"RS512": rsaAlgorithm("RS512", crypto.SHA512),
	"PS256": pssAlgorithm("PS256", crypto.SHA256),
	"PS384": pssAlgorithm("PS384", crypto.SHA384),
	"PS512": pssAlgorithm("PS512", crypto.SHA512),
	"ES256": ecdsaAlgorithm("ES256", crypto.SHA256, elliptic.P256()),
	"ES384": ecdsaAlgorithm("ES384", crypto.SHA384, elliptic.P384()),
	"ES512": ecdsaAlgorithm("ES512", crypto.SHA512, elliptic.P521()),
	"EdDSA": {name: "EdDSA", family: "Ed25519", method: &jwt.SigningMethodEd25519{}},
}

func hmacAlgorithm(name string, hash crypto.Hash) algorithm {
	return algorithm{name: name, family: "HMAC", hash: hash,
		method: &jwt.SigningMethodHMAC{Name: name, Hash: hash}}
}

func rsaAlgorithm(name string, hash crypto.Hash) algorithm {
	return algorithm{name: name, family: "RSA",
		method: &jwt.SigningMethodRSA{Name: name, Hash: hash}}
}

// pssAlgorithm demands a salt as long as the hash (RFC 7518, section 3.5). The
// library's own methods verify any length.
func pssAlgorithm(name string, hash crypto.Hash) algorithm {
	return algorithm{name: name, family: "RSA", method: &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: &jwt.SigningMethodRSA{Name: name, Hash: hash},
		Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
	}}
}

func ecdsaAlgorithm(name string, hash crypto.Hash, curve elliptic.Curve) algorithm {
	bits := curve.Params().BitSize
	return algorithm{name: name, family: curve.Params().Name, curve: curve,
		method: &jwt.SigningMethodECDSA{Name: name, Hash: hash, KeySize: (bits + 7) / 8, CurveBits: bits}}
}

// errKeyType marks a key that is of another kind than the algorithm's.
type errKeyType struct{ error }

// check reports why key cannot be used with the algorithm. It is cheap, and runs
// on each use as well, because a Keyfunc may return any key at any time.
func (a algorithm) check(key any) error {
	switch k := key.(type) {
	case []byte:
		if a.family == "HMAC" {
			return checkHMAC(k, a.hash.Size())
		}
	case *rsa.PublicKey:
		if a.family == "RSA" && k != nil {
			return checkRSA(k)
		}
	case *ecdsa.PublicKey:
		if a.curve != nil && k != nil {
			return checkECDSA(k, a.curve)
		}
	case ed25519.PublicKey:
		if a.family == "Ed25519" {
			return checkEd25519(k)
		}
	}
	return errKeyType{fmt.Errorf("%s needs a key of type %s, this is %s", a.name, a.keyType(), describe(key))}
}

func (a algorithm) keyType() string {
	switch {
	case a.family == "HMAC":
		return "[]byte"
	case a.family == "RSA":
		return "*rsa.PublicKey"
	case a.curve != nil:
		return "*ecdsa.PublicKey"
	}
	return "ed25519.PublicKey"
}

// describe says what a key of the wrong type is, and what to pass instead.
func describe(key any) string {
	switch k := key.(type) {
	case nil:
		return "nil"
	case *rsa.PublicKey:
		if k == nil {
			return "a nil *rsa.PublicKey"
		}
	case *ecdsa.PublicKey:
		if k == nil {
			return "a nil *ecdsa.PublicKey"
		}
	case string:
		return "a string: decode it into a []byte"
	case crypto.Signer:
		return fmt.Sprintf("a private key (%T): pass its public half", key)
	case rsa.PublicKey, ecdsa.PublicKey:
		return fmt.Sprintf("a %T: pass a pointer to it", key)
	case *x509.Certificate:
		return "a certificate: verify it, then pass its PublicKey"
	}
	return fmt.Sprintf("a %T", key)
}

// checkHMAC demands a key as long as the hash (RFC 7518, section 3.2). It also
// finds public text that was configured as a secret, the other half of the
// confusion of RS256 with HS256: with it, everyone could sign.
func checkHMAC(key []byte, size int) error {
	if len(key) < size {
		return fmt.Errorf("the HMAC key has %d bytes, %d random ones are needed", len(key), size)
	}
	if !slices.ContainsFunc(key, func(b byte) bool { return b != 0 }) {
		return errors.New("the HMAC key is all zeros: it was never filled")
	}
	if bytes.HasPrefix(bytes.TrimSpace(key), []byte("-----BEGIN")) {
		return errors.New("the HMAC key is PEM text: parse it, or pin an asymmetric algorithm")
	}
	_, pkix := x509.ParsePKIXPublicKey(key)
	_, pkcs1 := x509.ParsePKCS1PublicKey(key)
	if pkix == nil || pkcs1 == nil {
		return errors.New("the HMAC key is a public key in DER: parse it and pin an asymmetric algorithm")
	}
	return nil
}

func checkRSA(key *rsa.PublicKey) error {
	if key.N == nil || key.N.Sign() <= 0 || key.N.Bit(0) == 0 {
		return errors.New("the RSA modulus is missing or even")
	}
	if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Errorf("the RSA key has %d bits, %d to %d are allowed", bits, minRSABits, maxRSABits)
	}
	// With the exponent 1, the signature is the padded message itself.
	if key.E < 3 || key.E%2 == 0 || key.E > maxRSAExp {
		return fmt.Errorf("the RSA exponent %d is not an odd number from 3 to %d", key.E, maxRSAExp)
	}
	return nil
}

func checkECDSA(key *ecdsa.PublicKey, curve elliptic.Curve) error {
	if key.Curve != curve {
		name := "no curve"
		if key.Curve != nil && key.Curve.Params() != nil {
			name = key.Curve.Params().Name
		}
		return errKeyType{fmt.Errorf("the key is on %s, the algorithm needs %s", name, curve.Params().Name)}
	}
	//lint:ignore SA1019 only compared to nil, which crypto/ecdsa does not survive
	if key.X == nil || key.Y == nil {
		return errors.New("the ECDSA key has no point")
	}
	return nil
}

func checkEd25519(key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("the Ed25519 key has %d bytes, %d are needed", len(key), ed25519.PublicKeySize)
	}
	if !slices.ContainsFunc(key, func(b byte) bool { return b != 0 }) {
		return errors.New("the Ed25519 key is all zeros: it was never filled")
	}
	return nil
}

// bind returns a deep copy of a key that passed check, so that nobody changes it
// later.
func (a algorithm) bind(key any) (*boundKey, error) {
	bound := &boundKey{algorithm: a.name}
	switch k := key.(type) {
	case []byte:
		bound.macs = newMACPool(a.hash.New, bytes.Clone(k))
	case *rsa.PublicKey:
		bound.key = &rsa.PublicKey{N: new(big.Int).Set(k.N), E: k.E}
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err == nil {
			bound.key, err = ecdsa.ParseUncompressedPublicKey(a.curve, point)
		}
		if err != nil {
			return nil, errors.New("the ECDSA key is not a point on its curve")
		}
	case ed25519.PublicKey:
		bound.key = ed25519.PublicKey(bytes.Clone(k))
	default:
		return nil, fmt.Errorf("the key is %s", describe(key))
	}
	return bound, nil
}
