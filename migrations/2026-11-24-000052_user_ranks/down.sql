DROP INDEX idx_roomuser_payers;
DROP INDEX idx_roomuser_talkers;
