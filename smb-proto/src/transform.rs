//! The transform header of encrypted messages, [MS-SMB2] 2.2.41.
