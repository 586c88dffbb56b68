//! LOGOFF, [MS-SMB2] 2.2.7 and 2.2.8.

use super::empty::empty_body;

empty_body! {
    /// LOGOFF request, [MS-SMB2] 2.2.7: ends the session named in the header.
    Request, "LOGOFF request"
}

empty_body! {
    /// LOGOFF response, [MS-SMB2] 2.2.8.
    Response, "LOGOFF response"
}
