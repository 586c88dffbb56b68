//! Input and output structures of FSCTLs.
