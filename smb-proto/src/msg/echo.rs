//! ECHO, [MS-SMB2] 2.2.28 and 2.2.29.

use super::empty::empty_body;

empty_body! {
    /// ECHO request, [MS-SMB2] 2.2.28: asks whether the server is alive.
    Request, "ECHO request"
}

empty_body! {
    /// ECHO response, [MS-SMB2] 2.2.29.
    Response, "ECHO response"
}
