//! Carrying out a step on both.

use bytes::Bytes;
use smb_engine::vfs::{
    BasicChange, Creation, DataAccess, Ea, OpenHow, Reparse, VfsOp, VfsReply, WriteAt,
};
use smb_proto::dtyp::{
    AccessMask, Ace, AceFlags, AceType, Acl, AclSlot, SdControl, SecurityDescriptor, Sid,
};
use smb_proto::fsctl::FileObjectId;
use smb_proto::info::{FileAttributes, SecurityInformation};
use smb_proto::{FileTime, Guid};

use crate::step::{At, Step, TAGS};
use crate::twin::{NO_HANDLE, STREAM_MAX, Twin, location};

/// A descriptor by its number.
pub(crate) fn security(number: u8) -> SecurityDescriptor {
    let user = Sid::domain(1, 2, 3).with_rid(1000).unwrap();
    let allow = |sid, mask| Ace::allow(sid, mask, AceFlags::empty());
    let everything = allow(Sid::WORLD, AccessMask::FILE_ALL_ACCESS);
    let (owner, control, aces) = match number {
        1 => (
            user,
            SdControl::DACL_PROTECTED,
            vec![allow(user, AccessMask::FILE_GENERIC_READ), everything],
        ),
        2 => (Sid::BUILTIN_ADMINISTRATORS, SdControl::empty(), Vec::new()),
        3 => (
            user,
            SdControl::DACL_AUTO_INHERITED,
            vec![Ace::allow(
                Sid::WORLD,
                AccessMask::FILE_GENERIC_READ,
                AceFlags::OBJECT_INHERIT | AceFlags::CONTAINER_INHERIT,
            )],
        ),
        5 => (
            user,
            SdControl::SACL_PROTECTED | SdControl::SACL_AUTO_INHERITED,
            vec![everything],
        ),
        7 => (
            user,
            SdControl::DACL_PROTECTED | SdControl::DACL_AUTO_INHERITED,
            vec![
                Ace::deny(user, AccessMask::DELETE, AceFlags::INHERITED),
                Ace::allow(
                    Sid::CREATOR_OWNER,
                    AccessMask::FILE_ALL_ACCESS,
                    AceFlags::OBJECT_INHERIT | AceFlags::INHERIT_ONLY,
                ),
            ],
        ),
        _ => (Sid::LOCAL_SYSTEM, SdControl::empty(), vec![everything]),
    };
    let sacl = match number {
        5 => AclSlot::Acl(Acl::new(vec![Ace {
            kind: AceType::SYSTEM_AUDIT,
            flags: AceFlags::SUCCESSFUL_ACCESS | AceFlags::FAILED_ACCESS,
            ..allow(Sid::WORLD, AccessMask::DELETE)
        }])),
        _ => AclSlot::Absent,
    };
    SecurityDescriptor {
        control,
        owner: Some(owner),
        group: Some(Sid::BUILTIN_USERS),
        sacl,
        // No list at all lets everybody in.
        dacl: match number {
            6 => AclSlot::Null,
            _ => AclSlot::Acl(Acl::new(aces)),
        },
    }
}

fn ea_list(eas: &[(u8, u8)]) -> Vec<Ea> {
    let names = ["one", "ONE", "Two", "three", "x.y"];
    eas.iter()
        .map(|&(name, len)| Ea {
            flags: 0,
            name: names[usize::from(name) % names.len()].to_owned(),
            value: Bytes::from(vec![name + 1; usize::from(len) * 5]),
        })
        .collect()
}

fn data_access(number: u8) -> DataAccess {
    match number {
        0 => DataAccess::None,
        1 => DataAccess::Read,
        2 => DataAccess::Best,
        _ => DataAccess::ReadWrite,
    }
}

/// Times that a step sets; they lie in the past, one before 1970.
fn moment(number: u8) -> Option<FileTime> {
    match number {
        0 => None,
        1 => Some(FileTime::from_unix(1_000_000_000, 123_456_700)),
        2 => Some(FileTime::from_unix(-1_000_000, 500)),
        _ => Some(FileTime::from_unix(1_500_000_000, 0)),
    }
}

pub(crate) fn creation(
    directory: bool,
    attributes: u32,
    eas: &[(u8, u8)],
    allocation: u64,
) -> Creation {
    Creation {
        directory,
        attributes: FileAttributes::from_bits_retain(attributes),
        security: None,
        eas: ea_list(eas),
        allocation,
    }
}

/// IO_REPARSE_TAG_SYMLINK, [MS-FSCC] 2.1.2.1.
const SYMLINK: u32 = 0xa000_000c;
const REPARSE_TAGS: [u32; TAGS as usize] = [0x8000_0017, 0x9000_001a, 0x0000_0042, SYMLINK];

/// Data for a reparse point of this tag; `len` chooses among them.
fn reparse(tag: u8, len: usize) -> Reparse {
    let tag = REPARSE_TAGS[usize::from(tag)];
    let mut data = vec![7; len];
    if tag == SYMLINK {
        let (target, flags) = match len % 4 {
            0 => ("a", 1u32),
            1 => ("..\\d", 1),
            2 => ("d\\e\\nothing", 1),
            _ => ("\\??\\C:\\somewhere", 0),
        };
        let name: Vec<u8> = target.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let size = u16::try_from(name.len()).unwrap();
        // SymbolicLinkReparseBuffer, [MS-FSCC] 2.1.2.4: substitute name, print name, flags.
        data = [0, size, size, size].map(u16::to_le_bytes).concat();
        data.extend_from_slice(&flags.to_le_bytes());
        data.extend_from_slice(&name);
        data.extend_from_slice(&name);
    }
    Reparse {
        tag,
        data: Bytes::from(data),
    }
}

impl Twin<'_> {
    /// Whether the server may do this with what it opened: it said so at the open.
    fn is_promised(&self, step: &Step) -> bool {
        let opened_for = |slot: usize, wanted: &[DataAccess]| {
            self.slots[slot]
                .as_ref()
                .is_none_or(|s| wanted.contains(&s.data))
        };
        let writes = |slot| opened_for(slot, &[DataAccess::ReadWrite, DataAccess::Best]);
        let reads = |slot| opened_for(slot, &[DataAccess::Read]) || writes(slot);
        match *step {
            Step::Read { slot, .. }
            | Step::Ranges { slot, .. }
            | Step::List { slot, .. }
            | Step::Walk { slot, .. } => reads(slot),
            Step::Overwrite { slot, .. }
            | Step::Write { slot, .. }
            | Step::SetSize { slot, .. }
            | Step::SetAllocation { slot, .. }
            | Step::Zero { slot, .. }
            | Step::Trim { slot, .. } => writes(slot),
            Step::Copy { from, to, .. } => reads(from) && writes(to),
            _ => true,
        }
    }

    pub(crate) fn run(&mut self, step: &Step) -> Result<(), String> {
        self.count = self.count.wrapping_add(1);
        if !self.is_promised(step) {
            return Ok(());
        }
        match *step {
            Step::Open {
                slot,
                ref at,
                data,
                open_reparse,
            } => {
                let data = data_access(data);
                let how = OpenHow { data, open_reparse };
                let at = location(at);
                let answers = self.execute(|_| VfsOp::Open {
                    at: at.clone(),
                    how,
                });
                self.keep(slot, data, answers)
            }
            Step::OpenById {
                slot,
                of,
                data,
                open_reparse,
            } => {
                let Some(open) = self.slots[of].clone() else {
                    return Ok(());
                };
                let nodes = self.execute(|side| VfsOp::Stat {
                    handle: open.handles[side],
                });
                let data = data_access(data);
                let how = OpenHow { data, open_reparse };
                let mut answers = self.execute(|side| match &nodes[side] {
                    Ok(VfsReply::Info(info)) => VfsOp::OpenById {
                        node: info.node,
                        how,
                    },
                    _ => VfsOp::Stat { handle: NO_HANDLE },
                });
                if let [Ok(VfsReply::Opened(local)), Ok(VfsReply::Opened(memory))] = &mut answers {
                    // Any of its names may be shown.
                    memory.at.clone_from(&local.at);
                }
                self.keep(slot, data, answers)
            }
            Step::Create {
                slot,
                ref at,
                directory,
                attributes,
                security,
                ref eas,
                allocation,
            } => {
                self.disturb();
                let at = location(at);
                let directory = directory && at.stream.is_none();
                let allocation = if at.stream.is_some() {
                    allocation % STREAM_MAX
                } else {
                    allocation
                };
                let what = creation(directory, attributes, eas, allocation);
                self.create(slot, &at, what, security)
            }
            Step::Overwrite {
                slot,
                attributes,
                ref eas,
                allocation,
                supersede,
            } => {
                let what = creation(false, attributes, eas, self.clamp(slot, allocation));
                self.on(slot, |handle| VfsOp::Overwrite {
                    handle,
                    what: what.clone(),
                    supersede,
                })
                .map(drop)
            }
            Step::Close { slot } => self.close(slot),
            Step::Read { slot, offset, len } => self
                .on(slot, |handle| VfsOp::Read {
                    handle,
                    offset,
                    len,
                })
                .map(drop),
            Step::Write {
                slot,
                ref at,
                len,
                through,
            } => self.write(slot, at, len, through),
            Step::Flush { slot } => self.on(slot, |handle| VfsOp::Flush { handle }).map(drop),
            Step::Stat { slot } => self.on(slot, |handle| VfsOp::Stat { handle }).map(drop),
            Step::SetBasic {
                slot,
                creation,
                access,
                write,
                change,
                attributes,
            } => {
                let change = BasicChange {
                    creation: moment(creation),
                    access: moment(access),
                    write: moment(write),
                    change: moment(change),
                    attributes: attributes.map(FileAttributes::from_bits_retain),
                };
                self.set_basic(slot, change)
            }
            Step::SetSize { slot, size } => {
                let size = self.clamp(slot, size);
                self.on(slot, |handle| VfsOp::SetSize { handle, size })
                    .map(drop)
            }
            Step::SetAllocation { slot, size } => {
                let size = self.clamp(slot, size);
                self.on(slot, |handle| VfsOp::SetAllocation { handle, size })
                    .map(drop)
            }
            Step::Rename {
                slot,
                ref from,
                ref to,
                replace,
            } => {
                self.disturb();
                let from = self.own_or(slot, from);
                let mut to = location(to);
                // A stream gets another name in its file; most of the time that is asked for.
                if from.stream.is_some() && to.stream.is_some() {
                    to.path = from.path.clone();
                }
                self.rename(slot, &from, &to, replace)
            }
            Step::Link {
                slot,
                ref to,
                replace,
            } => {
                self.disturb();
                let to = location(to).path;
                self.on(slot, |handle| VfsOp::Link {
                    handle,
                    to: to.clone(),
                    replace,
                })
                .map(drop)
            }
            Step::Remove { slot, ref at } => {
                self.disturb();
                let at = self.own_or(slot, at);
                self.on(slot, |handle| VfsOp::Remove {
                    handle,
                    at: at.clone(),
                })
                .map(drop)
            }
            Step::CheckEmpty { slot } => self
                .on(slot, |handle| VfsOp::CheckEmpty { handle })
                .map(drop),
            Step::List {
                slot,
                pattern,
                limit,
            } => {
                if let Some(open) = &mut self.slots[slot] {
                    open.walking = false;
                    open.disturbed = false;
                }
                self.list(self.handles(slot), pattern, limit).map(drop)
            }
            Step::Walk {
                slot,
                restart,
                limit,
            } => self.walk(slot, restart, limit),
            Step::Streams { slot } => self.on(slot, |handle| VfsOp::Streams { handle }).map(drop),
            Step::Eas { slot } => self.on(slot, |handle| VfsOp::Eas { handle }).map(drop),
            Step::SetEas { slot, ref eas } => self
                .on(slot, |handle| VfsOp::SetEas {
                    handle,
                    eas: ea_list(eas),
                })
                .map(drop),
            Step::Security { slot } => self.on(slot, |handle| VfsOp::Security { handle }).map(drop),
            Step::SetSecurity {
                slot,
                parts,
                security: number,
            } => {
                let all = [
                    SecurityInformation::OWNER,
                    SecurityInformation::GROUP,
                    SecurityInformation::DACL,
                    SecurityInformation::SACL,
                ];
                let mut chosen = SecurityInformation::empty();
                for (bit, part) in all.into_iter().enumerate() {
                    chosen.set(part, parts & (1 << bit) != 0);
                }
                self.on(slot, |handle| VfsOp::SetSecurity {
                    handle,
                    parts: chosen,
                    descriptor: security(number),
                })
                .map(drop)
            }
            Step::Volume { slot } => self.on(slot, |handle| VfsOp::Volume { handle }).map(drop),
            Step::Copy {
                from,
                from_offset,
                to,
                to_offset,
                len,
            } => {
                let (to_offset, len) = match self.clamp(to, 250) {
                    250 => (to_offset, len),
                    _ => (to_offset % 100, len % 100),
                };
                self.same(|side| VfsOp::CopyRange {
                    from: self.handle(from, side),
                    from_offset,
                    to: self.handle(to, side),
                    to_offset,
                    len,
                })
                .map(drop)
            }
            Step::Zero {
                slot,
                offset,
                beyond,
            } => self
                .on(slot, |handle| VfsOp::ZeroRange {
                    handle,
                    offset,
                    beyond,
                })
                .map(drop),
            Step::Ranges {
                slot,
                offset,
                len,
                limit,
            } => self.ranges(self.handles(slot), offset, len, limit),
            Step::SetSparse { slot, sparse } => self
                .on(slot, |handle| VfsOp::SetSparse { handle, sparse })
                .map(drop),
            Step::SetCompression { slot, compressed } => self
                .on(slot, |handle| VfsOp::SetCompression { handle, compressed })
                .map(drop),
            Step::Trim {
                slot,
                offset,
                beyond,
            } => self
                .on(slot, |handle| VfsOp::Trim {
                    handle,
                    offset,
                    beyond,
                })
                .map(drop),
            Step::ObjectId { slot } => self.on(slot, |handle| VfsOp::ObjectId { handle }).map(drop),
            Step::SetObjectId { slot, id, replace } => self
                .on(slot, |handle| VfsOp::SetObjectId {
                    handle,
                    id: id.map(|n| FileObjectId {
                        object_id: Guid::from_bytes([n; 16]),
                        extended_info: [n; 48],
                    }),
                    replace,
                })
                .map(drop),
            Step::Reparse { slot } => self.on(slot, |handle| VfsOp::Reparse { handle }).map(drop),
            Step::SetReparse { slot, tag, len } => {
                let reparse = reparse(tag, len);
                self.on(slot, |handle| VfsOp::SetReparse {
                    handle,
                    reparse: reparse.clone(),
                })
                .map(drop)
            }
            Step::DeleteReparse { slot, tag } => self
                .on(slot, |handle| VfsOp::DeleteReparse {
                    handle,
                    tag: REPARSE_TAGS[usize::from(tag)],
                    // Now and then another owner's.
                    guid: Reparse {
                        tag: REPARSE_TAGS[usize::from(tag)],
                        data: Bytes::from(vec![7 + u8::from(self.count.is_multiple_of(5)); 16]),
                    }
                    .guid(),
                })
                .map(drop),
        }
    }

    fn write(&self, slot: usize, at: &At, len: usize, through: bool) -> Result<(), String> {
        let mut len = len;
        let mut data = vec![self.count.max(1); len];
        let at = match *at {
            At::Offset(offset) if self.clamp(slot, 250) != 250 => {
                len = len.min(100);
                WriteAt::Offset(offset % 100)
            }
            At::Offset(offset) => WriteAt::Offset(offset),
            At::End => {
                // A stream may grow by this a few times.
                if self.clamp(slot, 250) != 250 {
                    len = len.min(10);
                }
                WriteAt::End
            }
        };
        data.truncate(len);
        self.on(slot, |handle| VfsOp::Write {
            handle,
            at,
            data: Bytes::from(data.clone()),
            through,
        })
        .map(drop)
    }

    fn set_basic(&self, slot: usize, change: BasicChange) -> Result<(), String> {
        self.on(slot, |handle| VfsOp::SetBasic { handle, change })?
            .map_or(Ok(()), |_| {
                // The time of the last access is compared here alone: the host may move it on.
                let Some(wanted) = change.access else {
                    return Ok(());
                };
                let answers = self.execute(|side| VfsOp::Stat {
                    handle: self.handle(slot, side),
                });
                for answer in answers {
                    match answer {
                        Ok(VfsReply::Info(info)) if info.access == wanted => {}
                        other => {
                            return Err(format!("the access time set does not show: {other:?}"));
                        }
                    }
                }
                Ok(())
            })
    }
}
