-- The other side of blm_ledger: what rooms took in, all-time, and what became of it before it reached the
-- history. received = repeated + dropped + stored + duplicate + dead_letter + what is on the way.

CREATE TABLE blm_intake (
    room_id INTEGER PRIMARY KEY NOT NULL,
    received INTEGER NOT NULL,
    -- seen before by the room itself
    repeated INTEGER NOT NULL,
    unreadable INTEGER NOT NULL
);

CREATE TABLE blm_drop (
    room_id INTEGER NOT NULL,
    reason TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (room_id, reason)
) WITHOUT ROWID;
