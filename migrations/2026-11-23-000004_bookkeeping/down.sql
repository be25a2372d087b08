DROP TABLE blm_setting;
DROP TABLE blm_deadletter;
DROP TABLE blm_cursor;
DROP TABLE blm_ledger;
DROP TABLE blm_roomuser;
DROP TABLE blm_roomtotal;
