DROP TABLE blm_audit;
DROP TABLE blm_accesskey;
