-- Every purchase says what it was read from: the upstream's command, and the version of the rules by which money
-- is read. Rows of earlier versions have neither.

ALTER TABLE live_data_giftdata ADD COLUMN command VARCHAR(40);
ALTER TABLE live_data_giftdata ADD COLUMN rule INTEGER;
ALTER TABLE live_data_giftdata ADD COLUMN open_id VARCHAR(64);
-- given in this room to another streamer: no income of the room
ALTER TABLE live_data_giftdata ADD COLUMN to_other BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE live_data_superchat ADD COLUMN command VARCHAR(40);
ALTER TABLE live_data_superchat ADD COLUMN rule INTEGER;
ALTER TABLE live_data_superchat ADD COLUMN open_id VARCHAR(64);

ALTER TABLE live_data_guard ADD COLUMN command VARCHAR(40);
ALTER TABLE live_data_guard ADD COLUMN rule INTEGER;
ALTER TABLE live_data_guard ADD COLUMN open_id VARCHAR(64);

ALTER TABLE live_data_minute ADD COLUMN others_gold INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blm_roomtotal ADD COLUMN others_gold INTEGER NOT NULL DEFAULT 0;
