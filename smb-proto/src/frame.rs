//! Direct-TCP framing, [MS-SMB2] 2.1.
