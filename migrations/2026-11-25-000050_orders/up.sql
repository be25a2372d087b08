-- What one process of this installation asks of another: the pages' of the collector and of the sync. An order lies
-- here until it is carried out, so either may be away.

CREATE TABLE blm_order (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- look_at_room, restart_room, reconnect_all, sync
    what VARCHAR(20) NOT NULL,
    room_id INTEGER,
    -- of a sync: its figures or why it failed, as JSON; the one who asked takes the order away
    answer TEXT
);
