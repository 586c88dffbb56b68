//! From the calls of a script to requests.

use bytes::Bytes;
use smb_proto::create_ctx::{
    DiskIdRequest, DurableFlags, DurableRequest, DurableRequestV2, Lease, LeaseFlags, LeaseState,
    LeaseV2, MaximalAccessRequest, RequestContext,
};
use smb_proto::dtyp::{AccessMask, Ace, AceFlags, Acl, AclSlot, SecurityDescriptor, Sid};
use smb_proto::fsctl::{FsctlCode, ResumeKey, SrvCopychunk, SrvCopychunkCopy, ZeroData};
use smb_proto::id::{FileId, LeaseKey};
use smb_proto::info::file::{FileFullEaInformation, FileLinkInformation, FileRenameInformation};
use smb_proto::info::{FileAttributes, FileInfoClass, InfoType, SecurityInformation};
use smb_proto::msg::change_notify::{self, ChangeNotifyFlags, CompletionFilter};
use smb_proto::msg::close::{self, CloseFlags};
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions, ShareAccess};
use smb_proto::msg::lock::{self, LockElement, LockFlags};
use smb_proto::msg::query_directory::{self, QueryDirectoryFlags};
use smb_proto::msg::query_info::{self, QueryInfoFlags};
use smb_proto::msg::read;
use smb_proto::msg::write::{self, WriteFlags};
use smb_proto::msg::{self, OplockLevel};
use smb_proto::wire::Writer;
use smb_proto::{FileTime, Guid};

use super::step::{Call, Control, LeaseAsked, NAMES, Set};
use crate::client::ops;

/// Patterns of QUERY_DIRECTORY by number.
const PATTERNS: [&str; 6] = ["*", "a*", "*.txt", "sub", "?", "none"];

/// A name by number.
pub(super) fn name(number: u8) -> &'static str {
    NAMES[usize::from(number) % NAMES.len()]
}

/// The bytes of a write: they differ by position and by `fill`.
pub(super) fn pattern(fill: u8, offset: u64, len: u32) -> Bytes {
    (offset..offset.saturating_add(u64::from(len)))
        .map(|at| fill.wrapping_add((at % 251) as u8))
        .collect()
}

/// The slot of a file that a call uses or fills.
pub(super) fn slot(call: &Call) -> u8 {
    match call {
        Call::Open { slot, .. }
        | Call::Close { slot, .. }
        | Call::Read { slot, .. }
        | Call::Write { slot, .. }
        | Call::Flush { slot }
        | Call::Lock { slot, .. }
        | Call::List { slot, .. }
        | Call::Notify { slot, .. }
        | Call::Query { slot, .. }
        | Call::Set { slot, .. }
        | Call::Ioctl { slot, .. } => *slot,
    }
}

fn encoded(write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    write(&mut w);
    w.into_inner().freeze()
}

/// The context that asks for a lease.
pub(super) fn lease(asked: &LeaseAsked) -> Lease {
    let mut key = *b"lease number ...";
    key[15] = asked.key;
    Lease {
        key: LeaseKey(key),
        state: LeaseState::from_bits_retain(asked.state.into()),
        flags: LeaseFlags::empty(),
        v2: asked.epoch.map(|epoch| LeaseV2 {
            parent_key: LeaseKey([0; 16]),
            epoch,
        }),
    }
}

/// The request for a call on `file`; `guid` names a CREATE; `key` is the last resume key that was given out, `pipe` says that
/// names are those of named pipes.
pub(super) fn build(
    call: &Call,
    file: FileId,
    key: ResumeKey,
    pipe: bool,
    guid: Guid,
) -> msg::Request {
    match call {
        Call::Open {
            slot: _,
            name: number,
            disposition,
            access,
            share,
            options,
            oplock,
            contexts,
            lease: asked,
            durable,
        } => {
            let mut list = Vec::new();
            if *contexts {
                let access = MaximalAccessRequest { timestamp: None };
                list.push(RequestContext::MaximalAccess(access).to_raw());
                list.push(RequestContext::DiskId(DiskIdRequest).to_raw());
            }
            list.extend(asked.as_ref().map(|asked| lease(asked).to_raw()));
            list.extend(durable.map(|timeout_ms| {
                match timeout_ms {
                    0 => DurableRequest.to_raw(),
                    timeout_ms => DurableRequestV2 {
                        timeout_ms,
                        flags: DurableFlags::empty(),
                        create_guid: guid,
                    }
                    .to_raw(),
                }
            }));
            let pipes = ["srvsvc", "wkssvc", "lsarpc", "samr", "nothing"];
            create::Request {
                requested_oplock_level: OplockLevel(*oplock),
                desired_access: AccessMask::from_bits_retain(*access),
                share_access: ShareAccess::from_bits_retain(*share),
                create_disposition: *disposition,
                create_options: CreateOptions::from_bits_retain(*options),
                contexts: list,
                ..ops::create(
                    if pipe {
                        pipes[usize::from(*number) % pipes.len()]
                    } else {
                        name(*number)
                    },
                    CreateDisposition::Open,
                )
            }
            .into()
        }
        Call::Close { attributes, .. } => {
            let mut flags = CloseFlags::empty();
            flags.set(CloseFlags::POSTQUERY_ATTRIB, *attributes);
            close::Request {
                flags,
                file_id: file,
            }
            .into()
        }
        Call::Read {
            offset,
            len,
            minimum,
            ..
        } => read::Request {
            minimum_count: *minimum,
            ..ops::read(file, *offset, *len)
        }
        .into(),
        Call::Write {
            offset,
            len,
            fill,
            through,
            ..
        } => {
            let mut request: write::Request =
                ops::write(file, *offset, pattern(*fill, *offset, *len));
            request.flags.set(WriteFlags::WRITE_THROUGH, *through);
            request.into()
        }
        Call::Flush { .. } => ops::flush(file).into(),
        Call::Lock { ranges, .. } => lock::Request {
            lock_sequence_number: 0,
            lock_sequence_index: 0,
            file_id: file,
            locks: ranges
                .iter()
                .map(|(offset, length, flags)| LockElement {
                    offset: *offset,
                    length: *length,
                    flags: LockFlags::from_bits_retain(*flags),
                })
                .collect(),
        }
        .into(),
        Call::List {
            class,
            flags,
            pattern,
            len,
            ..
        } => query_directory::Request {
            file_information_class: *class,
            flags: QueryDirectoryFlags::from_bits_retain(*flags),
            file_index: 0,
            file_id: file,
            file_name: PATTERNS[usize::from(*pattern) % PATTERNS.len()].to_owned(),
            output_buffer_length: *len,
        }
        .into(),
        Call::Notify {
            filter, tree, len, ..
        } => {
            let mut flags = ChangeNotifyFlags::empty();
            flags.set(ChangeNotifyFlags::WATCH_TREE, *tree);
            change_notify::Request {
                flags,
                output_buffer_length: *len,
                file_id: file,
                completion_filter: CompletionFilter::from_bits_retain(*filter),
            }
            .into()
        }
        Call::Query {
            kind,
            class,
            more,
            len,
            ..
        } => query_info::Request {
            info_type: *kind,
            file_info_class: *class,
            output_buffer_length: *len,
            additional_information: *more,
            flags: QueryInfoFlags::empty(),
            file_id: file,
            input: Bytes::new(),
        }
        .into(),
        Call::Set { set, .. } => set_info(file, set),
        Call::Ioctl { control, .. } => ioctl(file, control, key),
    }
}

fn set_info(file: FileId, set: &Set) -> msg::Request {
    use FileInfoClass as C;
    match set {
        Set::Delete(yes) => ops::set_file(file, C::Disposition, vec![u8::from(*yes)]).into(),
        Set::Rename { to, replace } => {
            let rename = FileRenameInformation {
                replace_if_exists: *replace,
                root_directory: 0,
                file_name: name(*to).to_owned(),
            };
            ops::set_file(file, C::Rename, encoded(|w| rename.encode(w))).into()
        }
        Set::Link { to, replace } => {
            let link = FileLinkInformation {
                replace_if_exists: *replace,
                root_directory: 0,
                file_name: name(*to).to_owned(),
            };
            ops::set_file(file, C::Link, encoded(|w| link.encode(w))).into()
        }
        Set::Size(size) => ops::set_file(file, C::EndOfFile, size.to_le_bytes().to_vec()).into(),
        Set::Allocation(size) => {
            ops::set_file(file, C::Allocation, size.to_le_bytes().to_vec()).into()
        }
        Set::Attributes(bits) => {
            let basic = smb_proto::info::file::FileBasicInformation {
                creation_time: FileTime::ZERO,
                last_access_time: FileTime::ZERO,
                last_write_time: FileTime::ZERO,
                change_time: FileTime::ZERO,
                attributes: FileAttributes::from_bits_retain(*bits),
            };
            ops::set_file(file, C::Basic, encoded(|w| basic.encode(w))).into()
        }
        Set::Ea(len) => {
            let list = [FileFullEaInformation {
                name: Bytes::from_static(b"user.sim"),
                value: vec![0x5a; usize::from(*len)].into(),
                ..FileFullEaInformation::default()
            }];
            let list = encoded(|w| FileFullEaInformation::encode_list(&list, w));
            ops::set_file(file, C::FullEa, list).into()
        }
        Set::Security { open } => {
            let mut aces = Vec::new();
            if *open {
                let all = AccessMask::FILE_ALL_ACCESS;
                aces.push(Ace::allow(Sid::WORLD, all, AceFlags::empty()));
            }
            let descriptor = SecurityDescriptor {
                dacl: AclSlot::Acl(Acl::new(aces)),
                ..SecurityDescriptor::default()
            };
            let descriptor = encoded(|w| descriptor.encode(w));
            ops::set_security(file, SecurityInformation::DACL, descriptor).into()
        }
    }
}

fn ioctl(file: FileId, control: &Control, key: ResumeKey) -> msg::Request {
    let request = match control {
        Control::ResumeKey => ops::fsctl(file, FsctlCode::SRV_REQUEST_RESUME_KEY, vec![], 32),
        Control::Copy { from, to, len } => {
            let copy = SrvCopychunkCopy {
                source_key: key,
                chunks: vec![SrvCopychunk {
                    source_offset: *from,
                    target_offset: *to,
                    length: *len,
                }],
            };
            let input = encoded(|w| copy.encode(w));
            ops::fsctl(file, FsctlCode::SRV_COPYCHUNK_WRITE, input, 12)
        }
        Control::Zero { from, beyond } => {
            let zero = ZeroData {
                file_offset: from.cast_signed(),
                beyond_final_zero: beyond.cast_signed(),
            };
            let input = encoded(|w| zero.encode(w));
            ops::fsctl(file, FsctlCode::SET_ZERO_DATA, input, 0)
        }
        Control::Sparse(on) => ops::fsctl(file, FsctlCode::SET_SPARSE, vec![u8::from(*on)], 0),
        Control::Ranges { offset, len, room } => {
            let input = [offset.to_le_bytes(), len.to_le_bytes()].concat();
            ops::fsctl(file, FsctlCode::QUERY_ALLOCATED_RANGES, input, *room)
        }
        Control::Interfaces => ops::fsctl(
            FileId::RELATED,
            FsctlCode::QUERY_NETWORK_INTERFACE_INFO,
            vec![],
            4096,
        ),
        Control::Transceive(len) => ops::fsctl(
            file,
            FsctlCode::PIPE_TRANSCEIVE,
            vec![5; usize::from(*len)],
            1024,
        ),
        Control::Other(code) => ops::fsctl(file, FsctlCode(*code), vec![0; 16], 256),
    };
    request.into()
}

/// A WRITE or similar as bytes: its body alone, for a client that changes it.
pub(super) fn body_of(request: &msg::Request) -> Vec<u8> {
    let mut w = Writer::new();
    // Offsets in a body count from its header.
    w.zeros(smb_proto::header::HEADER_LEN);
    request.encode(&mut w);
    w.written()[smb_proto::header::HEADER_LEN..].to_vec()
}

/// InfoType of files, for scripts.
pub(super) const FILE: u8 = InfoType::File.code();
/// InfoType of file systems.
pub(super) const FILE_SYSTEM: u8 = InfoType::FileSystem.code();
/// InfoType of security descriptors.
pub(super) const SECURITY: u8 = InfoType::Security.code();
