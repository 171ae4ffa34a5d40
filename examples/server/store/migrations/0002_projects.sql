CREATE TABLE projects (
    id             TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36 AND id = lower(id)),
    owner_id       TEXT    NOT NULL REFERENCES users (id),
    name           TEXT    NOT NULL,
    summary        TEXT    NOT NULL,
    visibility     TEXT    NOT NULL CHECK (visibility IN ('private', 'team')),
    -- What search compares: SQLite by itself ignores case in ASCII only.
    name_folded    TEXT    NOT NULL,
    summary_folded TEXT    NOT NULL,
    created_at     INTEGER NOT NULL, -- microseconds since 1970, UTC
    updated_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX projects_by_owner ON projects (owner_id, created_at DESC, id DESC);
CREATE INDEX projects_by_visibility ON projects (visibility, created_at DESC, id DESC);
