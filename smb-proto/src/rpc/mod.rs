//! DCE/RPC over named pipes: connection-oriented PDUs, NDR and the interfaces that clients of a
//! file server use.
//!
//! * [`pdu`]: bind, request, response, fault … (C706 chapter 12, [MS-RPCE] 2.2.2).
//! * [`ndr`]: the transfer syntax NDR 2.0 (C706 chapter 14), little-endian, with every array and
//!   string bounded by the bytes that are really there.
//! * [`srvsvc`], [`wkssvc`], [`lsarpc`], [`samr`]: the parameters of the calls. Each call is a
//!   structure of its `[in]` parameters with `OPNUM`, `parse` and `encode`, and another of its
//!   `[out]` parameters with `parse` and `encode`. Both directions come from one description, so
//!   that they cannot disagree.

#[macro_use]
pub mod ndr;

pub mod lsarpc;
pub mod pdu;
pub mod samr;
pub mod srvsvc;
pub mod wkssvc;

#[cfg(test)]
mod captured;
