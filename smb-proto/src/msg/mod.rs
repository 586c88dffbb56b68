//! The bodies of the 19 commands, request and response.
