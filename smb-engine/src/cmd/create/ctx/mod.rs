//! What the create contexts of a request mean, [MS-SMB2] 3.3.5.9 and its subsections, and the
//! contexts of the answer.
//!
//! What they say about caching is in [`super::cache`], what about durable opens in [`super::again`].

mod aapl;
mod ea;
mod sd;

use smb_proto::create_ctx::{
    AaplRequest, DiskIdResponse, MaximalAccessRequest, MaximalAccessResponse, RawContext, Requested,
};
use smb_proto::dtyp::{AccessMask, SecurityDescriptor};
use smb_proto::{FileTime, NtStatus};

use crate::identity::Identity;
use crate::vfs::{Capabilities, Ea, FileInfo};

/// What the contexts of a request ask for, checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Contexts {
    /// Extended attributes for something new.
    pub(super) eas: Vec<Ea>,
    /// Descriptor for something new.
    pub(super) sd: Option<SecurityDescriptor>,
    /// Bytes to reserve.
    pub(super) allocation: u64,
    pub(super) maximal: Option<MaximalAccessRequest>,
    pub(super) disk_id: bool,
    /// The snapshot in which to look.
    pub(super) snapshot: Option<FileTime>,
    pub(super) aapl: Option<AaplRequest>,
}

impl Contexts {
    /// Checks the contexts of a request.
    pub(super) fn check(
        raw: &[RawContext],
        capabilities: Capabilities,
        who: &Identity,
    ) -> Result<Self, NtStatus> {
        let all = Requested::from_raw(raw).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        // 3.3.5.9.4. Zero is the present.
        let snapshot = all.timewarp.map(|t| t.timestamp).filter(|t| t.0 != 0);
        if snapshot.is_some() && !capabilities.contains(Capabilities::SNAPSHOTS) {
            return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
        }
        let eas = match &all.ea {
            Some(c) => ea::check(&c.list, capabilities)?,
            None => Vec::new(),
        };
        let sd = match &all.sd {
            Some(c) => sd::check(&c.descriptor, capabilities, who)?,
            None => None,
        };
        Ok(Self {
            eas,
            sd,
            allocation: all.allocation_size.map_or(0, |a| a.allocation_size),
            maximal: all.maximal_access,
            disk_id: all.disk_id.is_some(),
            snapshot,
            aapl: all.aapl,
        })
    }

    /// The contexts of the answer.
    /// `granted` is what was granted besides, and stands where Windows puts it.
    pub(super) fn answer(
        &self,
        maximal: AccessMask,
        info: &FileInfo,
        granted: Vec<RawContext>,
    ) -> Vec<RawContext> {
        let mut out = Vec::new();
        if let Some(asked) = self.maximal {
            out.push(maximal_access(asked, maximal, info).to_raw());
        }
        out.extend(granted);
        if self.disk_id {
            let id = DiskIdResponse {
                disk_file_id: info.node.file,
                volume_id: info.node.volume,
            };
            out.push(id.to_raw());
        }
        if let Some(asked) = self.aapl {
            out.push(aapl::answer(asked).to_raw());
        }
        out
    }
}

/// 3.3.5.9.5: a client that names a time wants to know only if the file has changed since.
fn maximal_access(
    asked: MaximalAccessRequest,
    maximal: AccessMask,
    info: &FileInfo,
) -> MaximalAccessResponse {
    match asked.timestamp {
        Some(t) if t.0 != 0 && info.write <= t => MaximalAccessResponse {
            query_status: NtStatus::NONE_MAPPED,
            maximal_access: AccessMask::empty(),
        },
        _ => MaximalAccessResponse {
            query_status: NtStatus::SUCCESS,
            maximal_access: maximal,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::FileTime;
    use smb_proto::create_ctx::{
        AllocationSize, DiskIdRequest, DurableRequest, Lease, LeaseFlags, LeaseState, TimewarpToken,
    };
    use smb_proto::id::LeaseKey;
    use smb_proto::info::FileAttributes;

    use crate::vfs::NodeId;

    fn check(raw: &[RawContext]) -> Result<Contexts, NtStatus> {
        Contexts::check(raw, Capabilities::all(), &Identity::system())
    }

    fn info() -> FileInfo {
        FileInfo {
            node: NodeId { volume: 3, file: 4 },
            creation: FileTime(1),
            access: FileTime(2),
            write: FileTime(30),
            change: FileTime(4),
            size: 0,
            allocation: 0,
            attributes: FileAttributes::ARCHIVE,
            links: 1,
            ea_size: 0,
            reparse_tag: 0,
            hidden_by_name: false,
        }
    }

    #[test]
    fn what_is_not_granted_is_ignored() {
        let lease = Lease {
            key: LeaseKey([1; 16]),
            state: LeaseState::READ,
            flags: LeaseFlags::empty(),
            v2: None,
        };
        let raw = [
            lease.to_raw(),
            DurableRequest.to_raw(),
            RawContext::new(b"FooO", vec![1]),
            TimewarpToken {
                timestamp: FileTime::ZERO,
            }
            .to_raw(),
        ];
        let c = check(&raw).unwrap();
        assert_eq!(c, Contexts::default());
        assert_eq!(
            c.answer(AccessMask::FILE_ALL_ACCESS, &info(), Vec::new()),
            []
        );
    }

    #[test]
    fn refusals() {
        let snapshot = TimewarpToken {
            timestamp: FileTime(10_000),
        };
        let not_found = NtStatus::OBJECT_NAME_NOT_FOUND;
        let without = Capabilities::all() - Capabilities::SNAPSHOTS;
        let refused = Contexts::check(&[snapshot.to_raw()], without, &Identity::system());
        assert_eq!(refused, Err(not_found));
        let taken = check(&[snapshot.to_raw()]).unwrap().snapshot;
        assert_eq!(taken, Some(FileTime(10_000)));
        let short = RawContext::new(b"AlSi", vec![0; 7]);
        assert_eq!(
            check(std::slice::from_ref(&short)),
            Err(NtStatus::INVALID_PARAMETER)
        );
    }

    #[test]
    fn answers() {
        let alloc = AllocationSize {
            allocation_size: 77,
        };
        for (timestamp, expected) in [
            (None, true),
            (Some(FileTime(29)), true),
            (Some(FileTime(30)), false),
            (Some(FileTime::ZERO), true),
        ] {
            let asked = MaximalAccessRequest { timestamp };
            let c = check(&[asked.to_raw(), DiskIdRequest.to_raw(), alloc.to_raw()]).unwrap();
            assert_eq!(c.allocation, 77);
            let out = c.answer(AccessMask::FILE_READ_DATA, &info(), Vec::new());
            let mx = MaximalAccessResponse::parse(&out[0].data).unwrap();
            if expected {
                assert_eq!(mx.query_status, NtStatus::SUCCESS);
                assert_eq!(mx.maximal_access, AccessMask::FILE_READ_DATA);
            } else {
                assert_eq!(mx.query_status, NtStatus::NONE_MAPPED);
            }
            let id = DiskIdResponse::parse(&out[1].data).unwrap();
            assert_eq!((id.disk_file_id, id.volume_id), (4, 3));
        }
    }
}
