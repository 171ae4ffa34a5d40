package password

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What a stored hash may cost. Whoever can write to the users table could otherwise stop the service with one row.
const (
	maxMemoryKiB = 64 * 1024
	maxPasses    = 10
	maxLanes     = 4
	minSaltBytes = 8
	minKeyBytes  = 16
	maxFieldSize = 64 // salt and key, in bytes
)

// phc is a hash in the PHC string format: $argon2id$v=19$m=19456,t=2,p=1$salt$key.
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
type phc struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
	salt   []byte
	key    []byte
}

func (p phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.lanes,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.key))
}

// parsePHC accepts only what String writes: one spelling of each hash. Its error says nothing about the hash.
func parsePHC(s string) (phc, error) {
	fields := strings.Split(s, "$")
	if len(fields) != 6 {
		return phc{}, ErrMalformedHash
	}
	var p phc
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return phc{}, ErrMalformedHash
	}
	var errSalt, errKey error
	p.salt, errSalt = base64.RawStdEncoding.DecodeString(fields[4])
	p.key, errKey = base64.RawStdEncoding.DecodeString(fields[5])
	// Sscanf and base64 overlook what follows, what leads and line breaks; the comparison with s does not.
	if errSalt != nil || errKey != nil || !p.inBounds() || p.String() != s {
		return phc{}, ErrMalformedHash
	}
	return p, nil
}

// inBounds holds the parameters to RFC 9106, section 3.1, and to the limits above.
func (p phc) inBounds() bool {
	return p.lanes >= 1 && p.lanes <= maxLanes &&
		p.passes >= 1 && p.passes <= maxPasses &&
		p.memory >= 8*uint32(p.lanes) && p.memory <= maxMemoryKiB &&
		len(p.salt) >= minSaltBytes && len(p.salt) <= maxFieldSize &&
		len(p.key) >= minKeyBytes && len(p.key) <= maxFieldSize
}
