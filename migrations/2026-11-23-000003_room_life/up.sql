-- What happens in and to a room besides chat and money, and its numbers by the minute.

-- Somebody came in, followed, shared, liked.
CREATE TABLE live_data_interaction (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id INTEGER NOT NULL,
    kind VARCHAR(10) NOT NULL,
    uid INTEGER NOT NULL,
    username VARCHAR(50) NOT NULL,
    medal_name VARCHAR(50),
    medal_level INTEGER NOT NULL DEFAULT 0,
    timestamp DATETIME NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    received_ms INTEGER NOT NULL,
    source VARCHAR(10) NOT NULL DEFAULT 'live',
    masked BOOLEAN NOT NULL DEFAULT FALSE,
    FOREIGN KEY (room_id) REFERENCES live_data_liveroom (room_id)
);
CREATE INDEX idx_interaction_room_timestamp ON live_data_interaction(room_id, timestamp);

-- The broadcast began or ended, moderation acted, the title changed, super chats were taken down
-- (text: the JSON list of their numbers).
CREATE TABLE live_data_roomevent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id INTEGER NOT NULL,
    kind VARCHAR(20) NOT NULL,
    title TEXT,
    area_name VARCHAR(100),
    live_key VARCHAR(50),
    text TEXT,
    timestamp DATETIME NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    received_ms INTEGER NOT NULL,
    source VARCHAR(10) NOT NULL DEFAULT 'live',
    uid INTEGER NOT NULL DEFAULT 0,
    username VARCHAR(50) NOT NULL DEFAULT '',
    masked BOOLEAN NOT NULL DEFAULT FALSE,
    FOREIGN KEY (room_id) REFERENCES live_data_liveroom (room_id)
);
CREATE INDEX idx_roomevent_room_timestamp ON live_data_roomevent(room_id, timestamp);

-- One row per room and minute; of several values in a minute the last one stays.
CREATE TABLE live_data_gauge (
    room_id INTEGER NOT NULL,
    minute_ms INTEGER NOT NULL,
    -- the newest event in this row
    event_id TEXT NOT NULL,
    popularity INTEGER,
    watched INTEGER,
    online_rank INTEGER,
    online INTEGER,
    likes INTEGER,
    fans INTEGER,
    fans_club INTEGER,
    guards INTEGER,
    PRIMARY KEY (room_id, minute_ms),
    FOREIGN KEY (room_id) REFERENCES live_data_liveroom (room_id)
) WITHOUT ROWID;

-- How many rows of each kind fall into a minute. danmaku includes lottery.
CREATE TABLE live_data_minute (
    room_id INTEGER NOT NULL,
    minute_ms INTEGER NOT NULL,
    danmaku INTEGER NOT NULL DEFAULT 0,
    lottery INTEGER NOT NULL DEFAULT 0,
    gifts INTEGER NOT NULL DEFAULT 0,
    super_chats INTEGER NOT NULL DEFAULT 0,
    guards INTEGER NOT NULL DEFAULT 0,
    enters INTEGER NOT NULL DEFAULT 0,
    gift_gold INTEGER NOT NULL DEFAULT 0,
    super_chat_gold INTEGER NOT NULL DEFAULT 0,
    guard_gold INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (room_id, minute_ms)
) WITHOUT ROWID;

-- An interval in which a room was not received; to_ms is null while it lasts.
CREATE TABLE live_data_gap (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX idx_gap_room_from ON live_data_gap(room_id, from_ms);
CREATE UNIQUE INDEX idx_gap_open ON live_data_gap(room_id) WHERE to_ms IS NULL;

-- Upstream commands that we cannot read, with one of them to look at.
CREATE TABLE live_data_unknowncommand (
    cmd TEXT PRIMARY KEY NOT NULL,
    count INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    sample TEXT NOT NULL
);
