CREATE TABLE avatars (
    user_id      TEXT    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    content_type TEXT    NOT NULL CHECK (content_type IN ('image/png', 'image/jpeg')),
    data         BLOB    NOT NULL CHECK (length(data) BETWEEN 1 AND 1048576),
    updated_at   INTEGER NOT NULL -- microseconds since 1970, UTC
) STRICT;

CREATE TABLE billing_events (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    type        TEXT    NOT NULL,
    data        TEXT    NOT NULL,
    received_at INTEGER NOT NULL -- microseconds since 1970, UTC
) STRICT;
