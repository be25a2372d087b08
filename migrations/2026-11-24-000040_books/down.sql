DROP TABLE blm_drop;
DROP TABLE blm_intake;
