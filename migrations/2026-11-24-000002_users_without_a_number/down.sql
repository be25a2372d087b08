ALTER TABLE blm_roomtotal DROP COLUMN unidentified;
DROP INDEX idx_roomuser_alias;
ALTER TABLE blm_roomuser DROP COLUMN alias;
DROP TABLE blm_roomalias;
ALTER TABLE live_data_danmakudata DROP COLUMN open_id;
ALTER TABLE live_data_danmakudata DROP COLUMN user_hash;
