//! Serves directories over SMB2/3.
