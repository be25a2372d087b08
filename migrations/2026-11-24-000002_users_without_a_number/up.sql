-- Users whose number we are not told are counted by what stands for it: `#` and eight hex digits for the hash in a
-- masked chat line, or the open_id of the Open Live platform. Only for counting; a hash is never shown, and never
-- turned back into a number.

ALTER TABLE live_data_danmakudata ADD COLUMN user_hash INTEGER;
ALTER TABLE live_data_danmakudata ADD COLUMN open_id VARCHAR(64);

CREATE TABLE blm_roomalias (
    room_id INTEGER NOT NULL,
    alias TEXT NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    interactions INTEGER NOT NULL,
    PRIMARY KEY (room_id, alias)
) WITHOUT ROWID;
CREATE INDEX idx_roomalias_alias ON blm_roomalias(alias, interactions) WHERE interactions > 0;

-- The alias that a known user has while masked, so that nobody is counted twice. Filled when a user next does
-- something.
ALTER TABLE blm_roomuser ADD COLUMN alias TEXT;
CREATE INDEX idx_roomuser_alias ON blm_roomuser(alias, room_id, interactions) WHERE interactions > 0;

-- Interactions of masked users for whom nothing stands: with any of them the number of users is a lower bound.
ALTER TABLE blm_roomtotal ADD COLUMN unidentified INTEGER NOT NULL DEFAULT 0;
-- Masked users so far have no alias, and `masked` now counts free gifts as well: every row of the four tables.
UPDATE blm_roomtotal SET unidentified = (
    SELECT count(*) FROM (
        SELECT room_id FROM live_data_danmakudata WHERE masked AND NOT lottery
        UNION ALL SELECT room_id FROM live_data_giftdata WHERE masked
        UNION ALL SELECT room_id FROM live_data_superchat WHERE masked
        UNION ALL SELECT room_id FROM live_data_guard WHERE masked
    ) AS rows WHERE rows.room_id = blm_roomtotal.room_id
), masked = (
    SELECT count(*) FROM (
        SELECT room_id FROM live_data_danmakudata WHERE masked
        UNION ALL SELECT room_id FROM live_data_giftdata WHERE masked
        UNION ALL SELECT room_id FROM live_data_superchat WHERE masked
        UNION ALL SELECT room_id FROM live_data_guard WHERE masked
    ) AS rows WHERE rows.room_id = blm_roomtotal.room_id
);
