DROP TABLE live_data_datamigrationlog;
DROP TABLE live_data_monitoringtask;
DROP TABLE live_data_giftdata;
DROP TABLE live_data_danmakudata;
DROP TABLE live_data_liveroom;
