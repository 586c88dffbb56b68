//! A deterministic world for the engine: a file system in memory that is the executable model of the
//! VFS contract ([`memory`]), the contract as checks for any backend ([`contract`]), a real SMB
//! client without I/O ([`client`]), a test bed of engine, clients and virtual time ([`pair`]),
//! packet captures as SMB conversations ([`capture`]), and checkers that know what a server may
//! answer ([`check`]), and a player of all orders in which things can happen ([`explore`]).

pub mod capture;
pub mod check;
pub mod client;
pub mod contract;
pub mod explore;
pub mod journal;
pub mod memory;
pub mod pair;
pub mod replay;
pub mod world;
