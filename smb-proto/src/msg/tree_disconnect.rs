//! TREE_DISCONNECT, [MS-SMB2] 2.2.11 and 2.2.12.

use super::empty::empty_body;

empty_body! {
    /// TREE_DISCONNECT request, [MS-SMB2] 2.2.11: ends the tree connect named in the header.
    Request, "TREE_DISCONNECT request"
}

empty_body! {
    /// TREE_DISCONNECT response, [MS-SMB2] 2.2.12.
    Response, "TREE_DISCONNECT response"
}
