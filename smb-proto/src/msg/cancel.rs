//! CANCEL, [MS-SMB2] 2.2.30. It has no response.

use super::empty::empty_body;

empty_body! {
    /// CANCEL request, [MS-SMB2] 2.2.30: the header names the request to cancel, by AsyncId if it
    /// has become asynchronous and by MessageId otherwise.
    Request, "CANCEL request"
}
