//! What several clients (or one that does several things at once) have done to SMB servers: each
//! published weakness about compounds, sessions, channels, handles, locks, rights and exhaustion, as far
//! as it concerns what there is here, as a scenario. Where order matters, every order is played
//! ([`driver_sim::explore`]). `docs/security-scenarios.md` says which test stands for which weakness; the
//! ids in the comments are those of the CVE records.

mod bed;

mod access;
mod backend;
mod channels;
mod compound;
mod durable;
mod files;
mod limits;
mod locks;
mod sessions;
mod trees;
