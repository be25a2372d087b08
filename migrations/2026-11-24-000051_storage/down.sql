DROP TABLE blm_storagesample;
