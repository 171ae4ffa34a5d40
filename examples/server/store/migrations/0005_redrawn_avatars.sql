-- A picture is drawn anew before it is kept, which may make it larger than the file that was sent.
CREATE TABLE redrawn_avatars (
    user_id      TEXT    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    content_type TEXT    NOT NULL CHECK (content_type IN ('image/png', 'image/jpeg')),
    data         BLOB    NOT NULL CHECK (length(data) BETWEEN 1 AND 4194304),
    updated_at   INTEGER NOT NULL -- microseconds since 1970, UTC
) STRICT;

INSERT INTO redrawn_avatars SELECT user_id, content_type, data, updated_at FROM avatars;
DROP TABLE avatars;
ALTER TABLE redrawn_avatars RENAME TO avatars;
