//! The one SMB1 message that is answered: the multi-protocol NEGOTIATE, [MS-SMB2] 3.3.5.3.
