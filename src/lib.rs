//! Watches many Bilibili live rooms at once. See the modules in reading order.

pub mod domain;

pub mod supervise;

pub mod store;

pub mod actors;
