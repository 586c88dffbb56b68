//! A deterministic world for the engine.
