//! The `smb-server` command.
fn main() {}
