DROP TABLE live_data_unknowncommand;
DROP TABLE live_data_gap;
DROP TABLE live_data_minute;
DROP TABLE live_data_gauge;
DROP TABLE live_data_roomevent;
DROP TABLE live_data_interaction;
