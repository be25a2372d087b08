-- The five tables of the original system, columns in its order and with its types, defaults and indexes.
-- What this program adds stands after them, under "added". `timestamp` is the time of sending, UTC;
-- DECIMAL prices are CNY with two decimals for people, and the *_gold columns beside them are what is summed.

CREATE TABLE live_data_liveroom (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id INTEGER UNIQUE NOT NULL,
    title VARCHAR(200) NOT NULL,
    uname VARCHAR(100) NOT NULL,
    face VARCHAR(500),
    online INTEGER DEFAULT 0,
    status INTEGER DEFAULT 0,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    -- added
    short_id INTEGER NOT NULL DEFAULT 0,
    uid INTEGER NOT NULL DEFAULT 0,
    cover VARCHAR(500) NOT NULL DEFAULT '',
    area_name VARCHAR(100) NOT NULL DEFAULT '',
    parent_area_name VARCHAR(100) NOT NULL DEFAULT '',
    live_since_ms INTEGER,
    followers INTEGER NOT NULL DEFAULT 0,
    monitored BOOLEAN NOT NULL DEFAULT FALSE,
    paused BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE live_data_danmakudata (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    username VARCHAR(50) NOT NULL,
    message TEXT NOT NULL,
    timestamp DATETIME NOT NULL,
    medal_name VARCHAR(50),
    medal_level INTEGER DEFAULT 0,
    user_level INTEGER DEFAULT 0,
    is_admin BOOLEAN DEFAULT FALSE,
    is_vip BOOLEAN DEFAULT FALSE,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    -- added
    event_id TEXT NOT NULL UNIQUE,
    received_ms INTEGER NOT NULL,
    source VARCHAR(10) NOT NULL DEFAULT 'live',
    masked BOOLEAN NOT NULL DEFAULT FALSE,
    guard_level INTEGER NOT NULL DEFAULT 0,
    lottery BOOLEAN NOT NULL DEFAULT FALSE,
    emoticon_url TEXT,
    reply_to VARCHAR(50),
    FOREIGN KEY (room_id) REFERENCES live_data_liveroom (room_id)
);

CREATE TABLE live_data_giftdata (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    username VARCHAR(50) NOT NULL,
    gift_name VARCHAR(100) NOT NULL,
    gift_id INTEGER NOT NULL,
    num INTEGER DEFAULT 1,
    price DECIMAL(10,2) DEFAULT 0.00,
    total_price DECIMAL(10,2) DEFAULT 0.00,
    timestamp DATETIME NOT NULL,
    medal_name VARCHAR(50),
    medal_level INTEGER DEFAULT 0,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    -- added
    event_id TEXT NOT NULL UNIQUE,
    received_ms INTEGER NOT NULL,
    source VARCHAR(10) NOT NULL DEFAULT 'live',
    masked BOOLEAN NOT NULL DEFAULT FALSE,
    coin_type VARCHAR(10) NOT NULL DEFAULT 'silver',
    price_gold INTEGER NOT NULL DEFAULT 0,
    paid_gold INTEGER NOT NULL DEFAULT 0,
    value_gold INTEGER NOT NULL DEFAULT 0,
    blind_box_name VARCHAR(100),
    blind_box_price_gold INTEGER,
    receiver_uid INTEGER,
    receiver_name VARCHAR(50),
    FOREIGN KEY (room_id) REFERENCES live_data_liveroom (room_id)
);

CREATE TABLE live_data_monitoringtask (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_name VARCHAR(100) UNIQUE NOT NULL,
    room_ids_json TEXT,
    status VARCHAR(20) DEFAULT 'stopped',
    start_time DATETIME,
    end_time DATETIME,
    collected_danmaku INTEGER DEFAULT 0,
    collected_gifts INTEGER DEFAULT 0,
    error_count INTEGER DEFAULT 0,
    last_error TEXT,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE live_data_datamigrationlog (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    migration_type VARCHAR(50) NOT NULL,
    start_time DATETIME NOT NULL,
    end_time DATETIME,
    total_records INTEGER DEFAULT 0,
    success_records INTEGER DEFAULT 0,
    failed_records INTEGER DEFAULT 0,
    status VARCHAR(20) DEFAULT 'running',
    error_message TEXT,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_danmaku_room_timestamp ON live_data_danmakudata(room_id, timestamp);
CREATE INDEX idx_danmaku_uid ON live_data_danmakudata(uid);
CREATE INDEX idx_gift_room_timestamp ON live_data_giftdata(room_id, timestamp);
CREATE INDEX idx_gift_uid ON live_data_giftdata(uid);
CREATE INDEX idx_migration_status ON live_data_datamigrationlog(status, start_time);
