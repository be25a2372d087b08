-- A room's page adds up its blind boxes of 30 days, and read every gift of these days for it. In order of time, so that
-- a gift is entered at the end; the other gifts cost nothing here.
CREATE INDEX idx_gift_boxes ON live_data_giftdata(room_id, timestamp) WHERE blind_box_name IS NOT NULL;

-- Whether something was taken over from another program is asked with every share of received time, and read through the
-- log of runs for it. Runs of the sync are not in here.
CREATE INDEX idx_migration_import ON live_data_datamigrationlog(migration_type) WHERE migration_type = 'django_import';
