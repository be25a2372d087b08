ALTER TABLE live_data_liveroom DROP COLUMN priority;
