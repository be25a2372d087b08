-- How much a room matters when there are not places on accounts for all; higher is more.
ALTER TABLE live_data_liveroom ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
