//! Where the specification speaks of a command.

/// Sections of [MS-SMB2] about a command: what the server does, and the layout of its answer.
#[must_use]
pub(super) fn of(command: &str) -> &'static str {
    match command {
        "NEGOTIATE" => "[MS-SMB2] 3.3.5.4, response 2.2.4",
        "SESSION_SETUP" => "[MS-SMB2] 3.3.5.5, response 2.2.6",
        "LOGOFF" => "[MS-SMB2] 3.3.5.6, response 2.2.8",
        "TREE_CONNECT" => "[MS-SMB2] 3.3.5.7, response 2.2.10",
        "TREE_DISCONNECT" => "[MS-SMB2] 3.3.5.8, response 2.2.12",
        "CREATE" => "[MS-SMB2] 3.3.5.9, response 2.2.14",
        "CLOSE" => "[MS-SMB2] 3.3.5.10, response 2.2.16",
        "FLUSH" => "[MS-SMB2] 3.3.5.11, response 2.2.18",
        "READ" => "[MS-SMB2] 3.3.5.12, response 2.2.20",
        "WRITE" => "[MS-SMB2] 3.3.5.13, response 2.2.22",
        "LOCK" => "[MS-SMB2] 3.3.5.14, response 2.2.27",
        "IOCTL" => "[MS-SMB2] 3.3.5.15, response 2.2.32",
        "CANCEL" => "[MS-SMB2] 3.3.5.16",
        "ECHO" => "[MS-SMB2] 3.3.5.17, response 2.2.29",
        "QUERY_DIRECTORY" => "[MS-SMB2] 3.3.5.18, response 2.2.34",
        "CHANGE_NOTIFY" => "[MS-SMB2] 3.3.5.19, response 2.2.36",
        "QUERY_INFO" => "[MS-SMB2] 3.3.5.20, response 2.2.38",
        "SET_INFO" => "[MS-SMB2] 3.3.5.21, response 2.2.40",
        "OPLOCK_BREAK" => "[MS-SMB2] 3.3.5.22, response 2.2.25",
        _ => "[MS-SMB2] 3.3.5.2",
    }
}
