//! What single clients have done to SMB servers with a handful of bytes: each published weakness of
//! ksmbd in parsing and framing as a byte vector against the whole engine. `docs/security-scenarios.md`
//! says which test stands for which weakness; the ids in the comments are those of the CVE records.
//!
//! Every scenario runs twice ([`bed::twice`]): it leaves no object behind, and sends the same bytes
//! both times.

mod bed;

mod bodies;
mod contexts;
mod descriptors;
mod eas;
mod files;
mod framing;
mod logon;
mod negotiate;
