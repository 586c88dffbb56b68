//! From requests to operations of the model.

use smb_engine::names::fold;
use smb_proto::create_ctx::{
    AllocationSize, DiskIdRequest, MaximalAccessRequest, RawContext, SdBuffer, TimewarpToken,
};
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{FsctlCode, ResumeKey, SrvCopychunkCopy, ZeroData};
use smb_proto::id::FileId;
use smb_proto::info::file::{
    DispositionFlags, FileAllocationInformation, FileBasicInformation, FileDispositionInformation,
    FileDispositionInformationEx, FileEndOfFileInformation, FileRenameInformation,
    FileRenameInformationEx, RenameFlags,
};
use smb_proto::info::{FileAttributes, FileInfoClass, InfoType};
use smb_proto::msg::close::CloseFlags;
use smb_proto::msg::create::{self, CreateOptions, ImpersonationLevel};
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::write::WriteFlags;
use smb_proto::msg::{Channel, Request, lock, query_info, read, set_info, write};

use super::create::granted;
use super::op::{Create, What};
use super::state::{No, Path};

/// Attributes that make the server refuse things.
const ODD: FileAttributes = FileAttributes::READONLY
    .union(FileAttributes::HIDDEN)
    .union(FileAttributes::SYSTEM);

/// Options that change nothing that is modelled, or that are.
const PLAIN_OPTIONS: CreateOptions = CreateOptions::DIRECTORY_FILE
    .union(CreateOptions::WRITE_THROUGH)
    .union(CreateOptions::SEQUENTIAL_ONLY)
    .union(CreateOptions::NO_INTERMEDIATE_BUFFERING)
    .union(CreateOptions::SYNCHRONOUS_IO_ALERT)
    .union(CreateOptions::SYNCHRONOUS_IO_NONALERT)
    .union(CreateOptions::NON_DIRECTORY_FILE)
    .union(CreateOptions::NO_EA_KNOWLEDGE)
    .union(CreateOptions::RANDOM_ACCESS)
    .union(CreateOptions::DELETE_ON_CLOSE)
    .union(CreateOptions::OPEN_FOR_BACKUP_INTENT)
    .union(CreateOptions::OPEN_NO_RECALL);

/// Attributes that a request may name.
const PLAIN_ATTRIBUTES: FileAttributes = ODD
    .union(FileAttributes::ARCHIVE)
    .union(FileAttributes::NORMAL)
    .union(FileAttributes::NOT_CONTENT_INDEXED);

/// What a request means to the model.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) what: Meaning,
    /// Something about it is unusual: it may be refused for that.
    pub(super) unusual: bool,
    /// It changes a security descriptor.
    pub(super) security: bool,
    /// It gives a file a further name.
    pub(super) links: bool,
}

/// See [`Asked`].
#[derive(Debug)]
pub(super) enum Meaning {
    /// It is followed.
    Followed(What),
    /// It cannot be carried out.
    Impossible,
    /// It is not followed, and what happens to this name not either from now on.
    Blurs(Path),
    /// As [`Self::Blurs`], with all names of this open.
    BlursOpen(No, Option<Path>),
}

impl Asked {
    /// A CREATE that may be answered with an open that was there before, which is not followed then.
    pub(super) fn blurred(self) -> Self {
        let what = match self.what {
            Meaning::Followed(What::Create(c)) => Meaning::Blurs(c.path),
            // A name says nothing where a FileId does.
            Meaning::Impossible => Meaning::Blurs("".into()),
            other @ (Meaning::Followed(_) | Meaning::Blurs(_) | Meaning::BlursOpen(..)) => other,
        };
        Self { what, ..self }
    }
}

fn asked(what: Meaning, unusual: bool) -> Asked {
    Asked {
        what,
        unusual,
        security: false,
        links: false,
    }
}

/// The FileId of a request that names one.
pub(in crate::check) fn file_id(request: &Request) -> Option<FileId> {
    use Request as R;
    match request {
        R::Close(r) => Some(r.file_id),
        R::Flush(r) => Some(r.file_id),
        R::Read(r) => Some(r.file_id),
        R::Write(r) => Some(r.file_id),
        R::Lock(r) => Some(r.file_id),
        R::QueryDirectory(r) => Some(r.file_id),
        R::ChangeNotify(r) => Some(r.file_id),
        R::QueryInfo(r) => Some(r.file_id),
        R::SetInfo(r) => Some(r.file_id),
        R::Ioctl(r) => match r.ctl_code {
            FsctlCode::VALIDATE_NEGOTIATE_INFO
            | FsctlCode::QUERY_NETWORK_INTERFACE_INFO
            | FsctlCode::DFS_GET_REFERRALS
            | FsctlCode::DFS_GET_REFERRALS_EX
            | FsctlCode::PIPE_WAIT => None,
            _ => Some(r.file_id),
        },
        R::Negotiate(_)
        | R::SessionSetup(_)
        | R::Logoff(_)
        | R::TreeConnect(_)
        | R::TreeDisconnect(_)
        | R::Create(_)
        | R::Cancel(_)
        | R::Echo(_)
        | R::OplockBreak(_) => None,
    }
}

/// A name as the model has it.
enum Name {
    Plain(Path),
    /// Not one that the model follows; what it concerns at most.
    Other(Path),
    Bad,
}

fn name(text: &str) -> Name {
    let text = text.replace('/', "\\");
    let last = text.rfind('\\').map_or(0, |i| i + 1);
    let (path, suffix) = match text.get(last..).and_then(|l| l.find(':')) {
        Some(colon) => text.split_at(last + colon),
        None => (text.as_str(), ""),
    };
    if path.starts_with('\\') || path.contains(['"', '|', '<', '>', '*', '?', ':']) {
        return Name::Bad;
    }
    let mut parts: Vec<&str> = Vec::new();
    let mut plain = suffix.is_empty();
    for part in path.split('\\').filter(|_| !path.is_empty()) {
        match part {
            ".." => {
                plain = false;
                if parts.pop().is_none() {
                    return Name::Bad;
                }
            }
            "" | "." => plain = false,
            part => parts.push(part),
        }
        plain &= part.encode_utf16().count() <= 200 && !part.contains(|c: char| c < ' ');
    }
    let folded: Path = fold(&parts.join("\\")).into();
    if plain {
        Name::Plain(folded)
    } else {
        Name::Other(folded)
    }
}

/// The name that something gets: it may begin with a backslash ([MS-FSA] 2.1.5.15.11).
fn new_name(text: &str) -> Name {
    match text.strip_prefix('\\') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(':') => name(rest),
        _ => name(text),
    }
}

/// Whether a context changes nothing that the model is about. A lease is refused whose key is that of
/// another file, and a CreateGuid that is known ([MS-SMB2] 3.3.5.9.8, 3.3.5.9.10).
fn plain_context(c: &RawContext) -> bool {
    [
        AllocationSize::NAME,
        DiskIdRequest::NAME,
        MaximalAccessRequest::NAME,
    ]
    .contains(&c.name.as_ref())
}

/// A name without the components that look like tokens of snapshots.
fn without_token(name: &str) -> String {
    let components = name.split('\\').filter(|c| !c.starts_with("@GMT-"));
    components.collect::<Vec<_>>().join("\\")
}

/// CREATE.
pub(super) fn create(r: &create::Request) -> Asked {
    let security = r.contexts.iter().any(|c| c.name.as_ref() == SdBuffer::NAME);
    let options = r.create_options;
    let by_id = options.contains(CreateOptions::OPEN_BY_FILE_ID);
    // What was is not followed, nor what is while it is looked at.
    let present = without_token(&r.name);
    let past = present.len() != r.name.len()
        || r.contexts
            .iter()
            .any(|c| c.name.as_ref() == TimewarpToken::NAME);
    let path = match name(&present) {
        Name::Plain(path) if past && !by_id => {
            return Asked {
                security,
                ..asked(Meaning::Blurs(path), true)
            };
        }
        Name::Plain(path) if !by_id => path,
        Name::Plain(_) | Name::Bad => return asked(Meaning::Impossible, false),
        Name::Other(_) if by_id => return asked(Meaning::Impossible, false),
        Name::Other(path) => {
            return Asked {
                security,
                ..asked(Meaning::Blurs(path), true)
            };
        }
    };
    let (Some(disposition), false) = (
        r.disposition(),
        r.impersonation_level > ImpersonationLevel::DELEGATE,
    ) else {
        return asked(Meaning::Impossible, false);
    };
    // What links lead elsewhere is not followed.
    if options.contains(CreateOptions::OPEN_REPARSE_POINT) {
        return Asked {
            security,
            ..asked(Meaning::Blurs(path), true)
        };
    }
    let (access, maximum) = granted(r.desired_access);
    let dir = options.contains(CreateOptions::DIRECTORY_FILE);
    let nondir = options.contains(CreateOptions::NON_DIRECTORY_FILE);
    let doc = options.contains(CreateOptions::DELETE_ON_CLOSE);
    let create = Create {
        path,
        access,
        maximum,
        share: r.share_access.bits(),
        disposition,
        dir,
        nondir,
        doc,
        through: options.contains(CreateOptions::WRITE_THROUGH),
        odd: r.file_attributes.intersects(ODD),
    };
    let unusual = !PLAIN_OPTIONS.contains(options)
        || r.share_access.bits() & !7 != 0
        || !PLAIN_ATTRIBUTES.contains(r.file_attributes)
        || access.is_empty()
        || !AccessMask::FILE_ALL_ACCESS.contains(access)
        || (dir && (create.destroys() || nondir))
        || (doc && !access.contains(AccessMask::DELETE))
        || !r.contexts.iter().all(plain_context);
    Asked {
        security,
        ..asked(Meaning::Followed(What::Create(create)), unusual)
    }
}

/// Anything that works on an open.
pub(super) fn on_open(request: &Request, open: No, charge: u64) -> Asked {
    use Request as R;
    let touch = || asked(Meaning::Followed(What::Touch { open }), false);
    match request {
        R::Close(r) => {
            let query = r.flags.contains(CloseFlags::POSTQUERY_ATTRIB);
            asked(Meaning::Followed(What::Close { open, query }), false)
        }
        R::Read(r) => read(r, open, charge),
        R::Write(r) => write(r, open, charge),
        R::Lock(r) => lock(r, open),
        R::QueryInfo(r) => query_info(r, open),
        R::SetInfo(r) => set_info(r, open),
        R::Ioctl(r) => match r.ctl_code {
            FsctlCode::SET_ZERO_DATA => match ZeroData::parse(&r.input) {
                Ok(z) => {
                    let (from, beyond) = (z.file_offset, z.beyond_final_zero);
                    let what = What::Zero {
                        open,
                        from: u64::try_from(from).unwrap_or(0),
                        beyond: u64::try_from(beyond).unwrap_or(0),
                    };
                    asked(Meaning::Followed(what), true)
                }
                Err(_) => touch(),
            },
            FsctlCode::SRV_COPYCHUNK
            | FsctlCode::SRV_COPYCHUNK_WRITE
            | FsctlCode::DUPLICATE_EXTENTS_TO_FILE
            | FsctlCode::DUPLICATE_EXTENTS_TO_FILE_EX
            | FsctlCode::OFFLOAD_WRITE => asked(Meaning::Followed(What::Smash { open }), true),
            FsctlCode::SET_REPARSE_POINT | FsctlCode::DELETE_REPARSE_POINT => {
                asked(Meaning::BlursOpen(open, None), true)
            }
            _ => touch(),
        },
        R::Flush(_) => asked(Meaning::Followed(What::Flush { open }), false),
        R::QueryDirectory(_) | R::ChangeNotify(_) => touch(),
        R::Negotiate(_)
        | R::SessionSetup(_)
        | R::Logoff(_)
        | R::TreeConnect(_)
        | R::TreeDisconnect(_)
        | R::Create(_)
        | R::Cancel(_)
        | R::Echo(_)
        | R::OplockBreak(_) => touch(),
    }
}

/// FSCTL_SRV_COPYCHUNK and FSCTL_SRV_COPYCHUNK_WRITE from an open that is followed.
pub(super) fn copy(
    request: &Request,
    open: No,
    source: impl FnOnce(&ResumeKey) -> Option<No>,
) -> Option<What> {
    let Request::Ioctl(r) = request else {
        return None;
    };
    let copies = [FsctlCode::SRV_COPYCHUNK, FsctlCode::SRV_COPYCHUNK_WRITE];
    if !copies.contains(&r.ctl_code) {
        return None;
    }
    let copy = SrvCopychunkCopy::parse(&r.input).ok()?;
    Some(What::Copy {
        open,
        source: source(&copy.source_key)?,
        chunks: copy.chunks,
    })
}

/// Largest offset that is plain.
const FAR: u64 = 1 << 40;

fn read(r: &read::Request, open: No, charge: u64) -> Asked {
    let what = What::Read {
        open,
        offset: r.offset,
        len: r.length,
        min: r.minimum_count,
    };
    let unusual = u64::from(r.length) > charge * 65536
        || r.length > 1 << 23
        || r.offset > FAR
        || r.channel != Channel::NONE;
    asked(Meaning::Followed(what), unusual)
}

fn write(r: &write::Request, open: No, charge: u64) -> Asked {
    let what = What::Write {
        open,
        offset: r.offset,
        data: r.data.clone(),
        through: r.flags.contains(WriteFlags::WRITE_THROUGH),
    };
    let unusual =
        r.data.len() as u64 > charge * 65536 || r.offset > FAR || r.channel != Channel::NONE;
    asked(Meaning::Followed(what), unusual)
}

fn lock(r: &lock::Request, open: No) -> Asked {
    let elements = r.locks.clone();
    let unlock = elements
        .first()
        .is_some_and(|e| e.flags.contains(LockFlags::UNLOCK));
    let fail = LockFlags::FAIL_IMMEDIATELY;
    let one = elements.len() == 1;
    let plain = elements.iter().all(|e| {
        let kind = e.flags.difference(fail);
        let fine = if unlock {
            e.flags == LockFlags::UNLOCK
        } else {
            kind == LockFlags::SHARED_LOCK || kind == LockFlags::EXCLUSIVE_LOCK
        };
        let ends = e.length == 0 || e.offset.checked_add(e.length - 1).is_some();
        fine && ends && (one || unlock || e.flags.contains(fail))
    });
    if !plain || elements.is_empty() || elements.len() > 64 {
        // Parts of it may be carried out before the rest is found wrong.
        return if unlock {
            asked(Meaning::BlursOpen(open, None), true)
        } else {
            asked(Meaning::Impossible, false)
        };
    }
    let may_wait = one && !unlock && !elements.iter().any(|e| e.flags.contains(fail));
    let what = if unlock {
        What::Unlock { open, elements }
    } else {
        What::Lock {
            open,
            elements,
            may_wait,
        }
    };
    asked(Meaning::Followed(what), false)
}

fn query_info(r: &query_info::Request, open: No) -> Asked {
    let standard = InfoType::from_code(r.info_type) == Some(InfoType::File)
        && FileInfoClass::from_code(r.file_info_class) == Some(FileInfoClass::Standard);
    if !standard {
        return asked(Meaning::Followed(What::Touch { open }), false);
    }
    let unusual = r.output_buffer_length < 24 || r.output_buffer_length > 65536;
    asked(Meaning::Followed(What::Query { open }), unusual)
}

fn set_info(r: &set_info::Request, open: No) -> Asked {
    let touch = || asked(Meaning::Followed(What::Touch { open }), false);
    let blur = |to: Option<Path>| asked(Meaning::BlursOpen(open, to), true);
    match InfoType::from_code(r.info_type) {
        Some(InfoType::File) => {}
        Some(InfoType::Security) => {
            return Asked {
                security: true,
                ..touch()
            };
        }
        _ => return touch(),
    }
    let size = |size: i64, cut| match u64::try_from(size) {
        Ok(size) => asked(
            Meaning::Followed(What::Resize { open, size, cut }),
            size > FAR,
        ),
        Err(_) => touch(),
    };
    let rename = |root: u64, to: &str, replace| match new_name(to) {
        // What has the name of a snapshot in it may be refused for that.
        Name::Plain(path) if root == 0 && !path.is_empty() && without_token(to) == to => {
            let to = path;
            let what = What::Rename { open, to, replace };
            asked(Meaning::Followed(what), false)
        }
        // Also a stream of the file.
        Name::Plain(to) | Name::Other(to) => blur(Some(to)),
        Name::Bad => touch(),
    };
    let parsed = match FileInfoClass::from_code(r.file_info_class) {
        Some(FileInfoClass::EndOfFile) => {
            FileEndOfFileInformation::parse(&r.buffer).map(|i| size(i.end_of_file, false))
        }
        Some(FileInfoClass::Allocation) => {
            FileAllocationInformation::parse(&r.buffer).map(|i| size(i.allocation_size, true))
        }
        Some(FileInfoClass::Disposition) => FileDispositionInformation::parse(&r.buffer).map(|i| {
            let on = i.delete_pending;
            asked(Meaning::Followed(What::Delete { open, on }), false)
        }),
        Some(FileInfoClass::DispositionEx) => {
            FileDispositionInformationEx::parse(&r.buffer).map(|i| {
                if !DispositionFlags::DELETE.contains(i.flags) {
                    return blur(None);
                }
                let on = i.flags.contains(DispositionFlags::DELETE);
                asked(Meaning::Followed(What::Delete { open, on }), false)
            })
        }
        Some(FileInfoClass::Rename) => FileRenameInformation::parse(&r.buffer)
            .map(|i| rename(i.root_directory, &i.file_name, i.replace_if_exists)),
        Some(FileInfoClass::RenameEx) => FileRenameInformationEx::parse(&r.buffer).map(|i| {
            if !RenameFlags::REPLACE_IF_EXISTS.contains(i.flags) {
                return match new_name(&i.file_name) {
                    Name::Plain(to) | Name::Other(to) => blur(Some(to)),
                    Name::Bad => touch(),
                };
            }
            let replace = i.flags.contains(RenameFlags::REPLACE_IF_EXISTS);
            rename(i.root_directory, &i.file_name, replace)
        }),
        Some(FileInfoClass::Link | FileInfoClass::LinkEx) => {
            FileRenameInformation::parse(&r.buffer).map(|i| match new_name(&i.file_name) {
                Name::Plain(to) | Name::Other(to) => Asked {
                    links: true,
                    ..blur(Some(to))
                },
                Name::Bad => touch(),
            })
        }
        Some(FileInfoClass::Basic) => FileBasicInformation::parse(&r.buffer).map(|i| {
            if i.attributes.intersects(ODD) {
                asked(Meaning::Followed(What::Harden { open }), true)
            } else {
                touch()
            }
        }),
        _ => Ok(touch()),
    };
    parsed.unwrap_or_else(|_| touch())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let plain = |text: &str| match name(text) {
            Name::Plain(p) => Some(p.to_string()),
            _ => None,
        };
        let other = |text: &str| match name(text) {
            Name::Other(p) => Some(p.to_string()),
            _ => None,
        };
        assert_eq!(plain("a\\B.txt").as_deref(), Some("a\\b.txt"));
        assert_eq!(plain("").as_deref(), Some(""));
        assert_eq!(other("a\\b:s").as_deref(), Some("a\\b"));
        assert_eq!(other("a\\..\\b").as_deref(), Some("b"));
        assert_eq!(other("a\\").as_deref(), Some("a"));
        for bad in ["\\a", "a*", "a:b\\c", "..", "a\\..\\.."] {
            assert!(matches!(name(bad), Name::Bad), "{bad}");
        }
    }
}
