-- Our own books, written in the transaction that stores the rows they count.

CREATE TABLE blm_roomtotal (
    room_id INTEGER PRIMARY KEY NOT NULL,
    danmaku INTEGER NOT NULL,
    gifts INTEGER NOT NULL,
    super_chats INTEGER NOT NULL,
    guards INTEGER NOT NULL,
    users INTEGER NOT NULL,
    masked INTEGER NOT NULL,
    gift_gold INTEGER NOT NULL,
    super_chat_gold INTEGER NOT NULL,
    guard_gold INTEGER NOT NULL,
    last_event_ms INTEGER NOT NULL
);

-- Known users of a room who chatted or sent something. Masked ones are never here.
CREATE TABLE blm_roomuser (
    room_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    username VARCHAR(50) NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    danmaku INTEGER NOT NULL,
    gifts INTEGER NOT NULL,
    paid_gold INTEGER NOT NULL,
    PRIMARY KEY (room_id, uid)
) WITHOUT ROWID;

-- What became of every event that was read from the live store, all-time.
CREATE TABLE blm_ledger (
    room_id INTEGER PRIMARY KEY NOT NULL,
    stored INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    dead_letter INTEGER NOT NULL
);

-- How far each live store has been read.
CREATE TABLE blm_cursor (
    store TEXT PRIMARY KEY NOT NULL,
    position TEXT NOT NULL
);

-- Events that the tables refused, kept as they were.
CREATE TABLE blm_deadletter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    room_id INTEGER NOT NULL,
    payload TEXT NOT NULL,
    error TEXT NOT NULL,
    at DATETIME NOT NULL
);

CREATE TABLE blm_setting (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);
