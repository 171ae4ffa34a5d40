CREATE TABLE contact_messages (
    id         INTEGER PRIMARY KEY,
    email      TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    created_at INTEGER NOT NULL -- microseconds since 1970, UTC
) STRICT;
