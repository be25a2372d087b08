-- Super chats and guards: the other two ways of paying.

CREATE TABLE live_data_superchat (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    username VARCHAR(50) NOT NULL,
    super_chat_id INTEGER NOT NULL,
    message TEXT NOT NULL,
    price DECIMAL(10,2) NOT NULL,
    paid_gold INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    end_time INTEGER NOT NULL,
    timestamp DATETIME NOT NULL,
    -- taken off the display; the money stays paid
    deleted BOOLEAN NOT NULL DEFAULT FALSE,
    event_id TEXT NOT NULL UNIQUE,
    received_ms INTEGER NOT NULL,
    source VARCHAR(10) NOT NULL DEFAULT 'live',
    masked BOOLEAN NOT NULL DEFAULT FALSE,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (room_id) REFERENCES live_data_liveroom (room_id)
);
CREATE INDEX idx_superchat_room_timestamp ON live_data_superchat(room_id, timestamp);
CREATE INDEX idx_superchat_uid ON live_data_superchat(uid);
CREATE INDEX idx_superchat_number ON live_data_superchat(room_id, super_chat_id);

CREATE TABLE live_data_guard (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    username VARCHAR(50) NOT NULL,
    guard_level INTEGER NOT NULL,
    num INTEGER NOT NULL,
    unit VARCHAR(20) NOT NULL,
    price DECIMAL(10,2) NOT NULL,
    paid_gold INTEGER NOT NULL,
    -- only the list price was seen
    estimated BOOLEAN NOT NULL DEFAULT FALSE,
    timestamp DATETIME NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    received_ms INTEGER NOT NULL,
    source VARCHAR(10) NOT NULL DEFAULT 'live',
    masked BOOLEAN NOT NULL DEFAULT FALSE,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (room_id) REFERENCES live_data_liveroom (room_id)
);
CREATE INDEX idx_guard_room_timestamp ON live_data_guard(room_id, timestamp);
CREATE INDEX idx_guard_uid ON live_data_guard(uid);
