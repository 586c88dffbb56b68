//! DCE/RPC over named pipes: PDUs, NDR and the interfaces that clients use.
