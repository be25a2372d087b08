DROP TABLE live_data_guard;
DROP TABLE live_data_superchat;
