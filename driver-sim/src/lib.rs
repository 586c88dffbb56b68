//! A deterministic world for the engine: [`memory`] is the executable model of the VFS contract.

pub mod memory;
