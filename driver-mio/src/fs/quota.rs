//! Quotas of users where the host has them (`quotactl(2)`).
//!
//! The host counts in blocks of 1 KiB, and takes 0 for no limit.

use std::path::PathBuf;

use nix::errno::Errno;
use nix::libc::c_int;
use nix::sys::quota::{Dqblk, QuotaType, QuotaValidFlags, quotactl_get, quotactl_set};
use smb_engine::vfs::{Quota, QuotaLimits, VfsError, VfsReply, VfsResult};
use smb_proto::FileTime;
use smb_proto::dtyp::Sid;

use super::options::HostId;
use super::{LocalFs, error};

/// Bytes of a block.
const BLOCK: u64 = 1024;

/// The device of a mount, if quotas of users are kept there and this process may see them.
pub(super) fn device(mount: u64) -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let device = source_of(&mounts, mount)?;
    let own = id(rustix::process::geteuid().as_raw()).ok()?;
    quotactl_get(QuotaType::USRQUOTA, &device, own)
        .is_ok()
        .then_some(device)
}

/// What is mounted, of `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`): behind the lone dash, the type
/// of the file system and its source.
fn source_of(mounts: &str, mount: u64) -> Option<PathBuf> {
    let line = mounts.lines().find(|line| {
        let number = line.split(' ').next().and_then(|n| n.parse().ok());
        number == Some(mount)
    })?;
    let source = line.split_once(" - ")?.1.split(' ').nth(1)?;
    // Odd characters are written in octal; devices have none.
    (source.starts_with('/') && !source.contains('\\')).then(|| source.into())
}

fn id(uid: u32) -> Result<c_int, VfsError> {
    c_int::try_from(uid).map_err(|_| VfsError::NotFound)
}

fn failed(e: Errno) -> VfsError {
    error::os(rustix::io::Errno::from_raw_os_error(e as i32))
}

/// Bytes of a limit in blocks.
fn bytes_of(blocks: Option<u64>) -> Option<u64> {
    blocks.filter(|n| *n > 0).map(|n| n.saturating_mul(BLOCK))
}

/// The limit in blocks. No byte at all is what the host cannot say; a block is the least.
fn blocks_of(bytes: Option<u64>) -> u64 {
    bytes.map_or(0, |n| n.div_ceil(BLOCK).max(1))
}

fn limits_of(block: &Dqblk) -> QuotaLimits {
    QuotaLimits {
        threshold: bytes_of(block.blocks_soft_limit()),
        limit: bytes_of(block.blocks_hard_limit()),
    }
}

fn block_of(limits: QuotaLimits) -> Dqblk {
    let mut block = Dqblk::default();
    block.set_blocks_soft_limit(blocks_of(limits.threshold));
    block.set_blocks_hard_limit(blocks_of(limits.limit));
    block
}

impl LocalFs {
    fn quota_user(&self, sid: &Sid) -> Option<c_int> {
        match self.options.sids.host_id(sid)? {
            HostId::User(uid) => id(uid).ok(),
            HostId::Group(_) => None,
        }
    }

    pub(super) fn quotas(&self, of: &[Sid]) -> VfsResult {
        let device = self.quota_device.as_ref().ok_or(VfsError::NotSupported)?;
        let mut out = Vec::new();
        for sid in of {
            let Some(user) = self.quota_user(sid) else {
                continue;
            };
            let block = match quotactl_get(QuotaType::USRQUOTA, device, user) {
                Ok(block) => block,
                Err(Errno::ENOENT | Errno::ESRCH) => continue,
                Err(e) => return Err(failed(e)),
            };
            let limits = limits_of(&block);
            // The host counts for everybody; a quota is what limits.
            if limits != QuotaLimits::default() {
                out.push(Quota {
                    sid: *sid,
                    change: FileTime::ZERO,
                    used: block.occupied_space().unwrap_or(0),
                    limits,
                });
            }
        }
        Ok(VfsReply::Quotas(out))
    }

    pub(super) fn set_quota(&self, sid: &Sid, limits: Option<QuotaLimits>) -> VfsResult {
        let device = self.quota_device.as_ref().ok_or(VfsError::NotSupported)?;
        let user = self.quota_user(sid).ok_or(VfsError::NotFound)?;
        if limits.is_none() {
            let block = quotactl_get(QuotaType::USRQUOTA, device, user).map_err(failed)?;
            if limits_of(&block) == QuotaLimits::default() {
                return Err(VfsError::NotFound);
            }
        }
        let block = block_of(limits.unwrap_or_default());
        let which = QuotaValidFlags::QIF_BLIMITS;
        quotactl_set(QuotaType::USRQUOTA, device, user, &block, which).map_err(failed)?;
        Ok(VfsReply::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted() {
        let mounts = "21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                      36 21 0:31 / /a\\040b rw shared:7 master:1 - tmpfs tmpfs rw\n\
                      37 21 7:0 / /mnt/x rw - xfs /dev/loop0 rw,usrquota\n";
        assert_eq!(source_of(mounts, 21), Some("/dev/vda".into()));
        assert_eq!(source_of(mounts, 37), Some("/dev/loop0".into()));
        // No device, and no such mount.
        assert_eq!(source_of(mounts, 36), None);
        assert_eq!(source_of(mounts, 2), None);
    }

    #[test]
    fn limits_in_blocks() {
        for (bytes, blocks, back) in [
            (None, 0, None),
            (Some(0), 1, Some(1024)),
            (Some(1024), 1, Some(1024)),
            (Some(1025), 2, Some(2048)),
            (Some(u64::MAX), 1 << 54, Some(u64::MAX)),
        ] {
            assert_eq!(blocks_of(bytes), blocks);
            assert_eq!(bytes_of(Some(blocks)), back);
        }
        assert_eq!(bytes_of(None), None);
    }
}
