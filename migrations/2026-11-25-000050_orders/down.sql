DROP TABLE blm_order;
