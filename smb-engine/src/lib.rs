//! The server as a state machine.
#![forbid(unsafe_code)]
