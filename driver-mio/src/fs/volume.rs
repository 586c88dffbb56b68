//! The volume a directory lies on.

use std::os::fd::BorrowedFd;

use rustix::fs::{StatVfsMountFlags, Statx, fstatfs, fstatvfs};
use rustix::io::Errno;
use smb_engine::vfs::{Capabilities, VfsReply, VfsResult, VolumeInfo};
use smb_proto::FileTime;

use super::LocalFs;
use super::error::{os, retry};
use super::handle::Open;
use super::meta::birth;

const SECTOR: u32 = 512;

/// Types of file systems (`statfs(2)`) that another machine, or a program, can change without the
/// kernel noticing: NFS, SMB and CIFS, FUSE, 9p, Ceph, AFS, Coda, GFS2, OCFS2, Lustre.
const REMOTE: [u32; 12] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x6573_5546,
    0x0102_1997,
    0x00c3_6400,
    0x5346_414f,
    0x7375_7245,
    0x0116_1970,
    0x7461_636f,
    0x0bd0_0bd0,
];
/// Btrfs, XFS, bcachefs, OCFS2: those that can share blocks between files.
const CLONING: [u32; 4] = [0x9123_683e, 0x5846_5342, 0xca45_1a4e, 0x7461_636f];

/// Ext2 to ext4, XFS, btrfs, tmpfs, F2FS, bcachefs: those that give back the storage of a hole.
const PUNCHING: [u32; 6] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x0102_1994,
    0xf2f5_2010,
    0xca45_1a4e,
];

/// What does not change while a directory is shared.
pub(super) struct Constants {
    kind: u32,
    serial: u32,
    creation: FileTime,
    read_only: bool,
}

impl Constants {
    pub(super) fn read(root: BorrowedFd<'_>, stat: &Statx) -> Result<Self, Errno> {
        let kind = retry(|| fstatfs(root))?.f_type;
        let vfs = retry(|| fstatvfs(root))?;
        // File systems without an id of their own still have the device's number.
        let id = match vfs.f_fsid {
            0 => (u64::from(stat.stx_dev_major) << 32) | u64::from(stat.stx_dev_minor),
            id => id,
        };
        let [a, b, c, d, e, f, g, h] = id.to_le_bytes();
        Ok(Self {
            kind: low(kind),
            serial: u32::from_le_bytes([a ^ e, b ^ f, c ^ g, d ^ h]),
            creation: birth(stat),
            read_only: vfs.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }

    /// Whether only this machine changes the file system.
    pub(super) fn local(&self) -> bool {
        !REMOTE.contains(&self.kind)
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        let mut out = Capabilities::empty();
        out.set(Capabilities::REFLINK, CLONING.contains(&self.kind));
        out.set(Capabilities::TRIM, PUNCHING.contains(&self.kind));
        out.set(Capabilities::READ_ONLY, self.read_only);
        out
    }
}

/// The low 32 bits, in which all known types fit, whatever the width of `f_type` here.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the magic numbers have 32 bits"
)]
fn low(kind: rustix::fs::FsWord) -> u32 {
    kind as u32
}

impl LocalFs {
    pub(super) fn volume_info(&self, open: &Open) -> VfsResult {
        let vfs = retry(|| fstatvfs(open.node.fd())).map_err(os)?;
        let unit = vfs.f_frsize.max(u64::from(SECTOR));
        Ok(VfsReply::Volume(VolumeInfo {
            creation: self.volume.creation,
            serial: self.volume.serial,
            label: self.options.label.clone(),
            sector: SECTOR,
            sectors_per_unit: u32::try_from(unit / u64::from(SECTOR)).unwrap_or(1),
            total_units: vfs.f_blocks,
            available_units: vfs.f_bavail,
            free_units: vfs.f_bfree,
        }))
    }
}
