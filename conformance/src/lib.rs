//! House rules and real clients.
