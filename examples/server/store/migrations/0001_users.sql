CREATE TABLE users (
    id            TEXT    NOT NULL PRIMARY KEY,
    -- lower() folds ASCII only, as CanonicalEmail does.
    email         TEXT    NOT NULL UNIQUE CHECK (email = lower(email)),
    role          TEXT    NOT NULL CHECK (role IN ('admin', 'member')),
    disabled      INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    password_hash TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Only the SHA-256 of a key is kept: whoever reads this table cannot use it to sign in.
CREATE TABLE api_keys (
    hash    BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_by_user ON api_keys (user_id);

CREATE TABLE revoked_tokens (
    jti        TEXT    NOT NULL PRIMARY KEY CHECK (jti <> ''),
    expires_at INTEGER NOT NULL -- microseconds since 1970, UTC
) STRICT, WITHOUT ROWID;

CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);
