DROP TABLE blm_indexed;
DROP TABLE blm_search;
