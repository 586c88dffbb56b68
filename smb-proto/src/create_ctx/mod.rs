//! Create contexts, [MS-SMB2] 2.2.13.2 and 2.2.14.2: named extras of a CREATE request or response.
//!
//! [`parse_chain`] and [`encode_chain`] know the list, [`RawContext`] is one element of it. Each
//! known context has a file of its own here; [`RequestContext`] and [`ResponseContext`] are one of
//! them, and [`Requested`] all that a request carries.
//!
//! Sizes are checked exactly, as the data of each context is a fixed structure; a server answers a
//! wrong size with STATUS_INVALID_PARAMETER. Whether a context means something in the dialect that
//! was negotiated, and which may appear together, is for the engine to say.

mod aapl;
mod alloc_size;
mod app_instance;
mod app_instance_version;
mod chain;
mod disk_id;
mod durable;
mod durable_v2;
mod ea;
mod lease;
mod max_access;
mod posix;
mod request;
mod requested;
mod response;
mod sd;
mod snapshot;
mod svhdx;

pub use aapl::{
    AaplCaps, AaplQueryBits, AaplRequest, AaplResponse, AaplServerReply, AaplVolumeCaps,
};
pub use alloc_size::AllocationSize;
pub use app_instance::AppInstanceId;
pub use app_instance_version::AppInstanceVersion;
pub use chain::{MAX_CONTEXTS, RawContext, encode_chain, parse_chain};
pub use disk_id::{DiskIdRequest, DiskIdResponse};
pub use durable::{DurableReconnect, DurableRequest, DurableResponse};
pub use durable_v2::{DurableFlags, DurableReconnectV2, DurableRequestV2, DurableResponseV2};
pub use ea::EaBuffer;
pub use lease::{Lease, LeaseFlags, LeaseState, LeaseV2};
pub use max_access::{MaximalAccessRequest, MaximalAccessResponse};
pub use posix::{PosixRequest, PosixResponse};
pub use request::RequestContext;
pub use requested::Requested;
pub use response::ResponseContext;
pub use sd::SdBuffer;
pub use snapshot::TimewarpToken;
pub use svhdx::{SvhdxOpenDevice, VirtualDiskProperties};

use crate::ParseError;
use crate::wire::{Fields, Writer};

/// The fields of a context whose data has exactly `len` bytes.
fn exact<'a>(data: &'a [u8], len: usize, what: &'static str) -> Result<Fields<'a>, ParseError> {
    if data.len() < len {
        Err(ParseError::Truncated(what))
    } else if data.len() > len {
        Err(ParseError::BadStructure(what))
    } else {
        Ok(Fields::new(data, what))
    }
}

/// A context with the data that `encode` writes.
fn pack(name: &'static [u8], encode: impl FnOnce(&mut Writer)) -> RawContext {
    let mut w = Writer::new();
    encode(&mut w);
    RawContext::new(name, w.into_inner())
}
