//! SPNEGO tokens, RFC 4178 and [MS-SPNG].
