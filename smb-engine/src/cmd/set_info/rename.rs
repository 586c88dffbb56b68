//! Rename and hard link: [MS-FSA] 2.1.5.15.11 and 2.1.5.15.6.
//!
//! Before a name is changed, the directory that it goes into and whatever has the new name are
//! opened for a moment: their descriptors and who else has them open decide.

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::file::{
    FileLinkInformation, FileLinkInformationEx, FileRenameInformation, FileRenameInformationEx,
    LinkFlags, RenameFlags,
};
use smb_proto::info::{FileAttributes, FileInfoClass};

use super::super::{CmdResult, Cx, WRONG_REPLY, create};
use super::{breaks_done, done, expect_done, malformed, needs, waits};
use crate::acl::check::maximal;
use crate::core::breaks::By;
use crate::core::caching::Contention;
use crate::core::name::Name;
use crate::core::{File, Wake, breaks, rename};
use crate::names::same_name;
use crate::output::Completion;
use crate::status::Refusal;
use crate::table::Id;
use crate::vfs::{
    Capabilities, DataAccess, Location, NodeId, OpenHow, Opened, SharePath, VfsError, VfsHandle,
    VfsOp, VfsReply,
};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rename,
    Link,
}

/// A new name on its way.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    kind: Kind,
    to: Location,
    replace: bool,
    /// A read-only file may be replaced.
    ignore_read_only: bool,
    /// A file may be replaced that others have open, if they share its deletion.
    posix: bool,
    /// The directory lets its entries be deleted.
    delete_child: bool,
    /// There is something that the new name replaces.
    replaces: bool,
}

/// Which step is awaited.
#[derive(Debug)]
pub(crate) enum State {
    /// Others give up the handles that they cache; then everything begins anew.
    Breaking(FileInfoClass, Bytes),
    /// Opening the directory of the new name.
    Parent(Task),
    /// Opening what has the new name.
    Target(Task),
    /// Closing one of these; then what is said.
    Closing(Task, Next),
    /// Others give up the handles that they cache of the directory, or of what the new name replaces.
    Yielding(Task, Place),
    /// The change itself, from this name.
    Changing(Task, Location),
}

/// What is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// An open of the directory of the new name.
    Parent,
    /// An open of what has the new name.
    Target,
}

/// What comes after a look at the directory or the target.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Next {
    Target,
    Change,
    Refuse(NtStatus),
    /// Others have it open in the way. If they do no more than cache their handles, they are asked to
    /// close them.
    Yield(Place, NodeId),
}

/// The request, whichever of its four forms it has.
struct Asked {
    kind: Kind,
    name: String,
    root_directory: u64,
    replace: bool,
    ignore_read_only: bool,
    posix: bool,
}

fn read(class: FileInfoClass, input: &[u8]) -> Result<Asked, Refusal> {
    Ok(match class {
        FileInfoClass::RenameEx => {
            let i = FileRenameInformationEx::parse(input).map_err(malformed)?;
            Asked {
                kind: Kind::Rename,
                name: i.file_name,
                root_directory: i.root_directory,
                replace: i.flags.contains(RenameFlags::REPLACE_IF_EXISTS),
                ignore_read_only: i.flags.contains(RenameFlags::IGNORE_READONLY_ATTRIBUTE),
                posix: i.flags.contains(RenameFlags::POSIX_SEMANTICS),
            }
        }
        FileInfoClass::Link => {
            let i = FileLinkInformation::parse(input).map_err(malformed)?;
            Asked {
                kind: Kind::Link,
                name: i.file_name,
                root_directory: i.root_directory,
                replace: i.replace_if_exists,
                ignore_read_only: false,
                posix: false,
            }
        }
        FileInfoClass::LinkEx => {
            let i = FileLinkInformationEx::parse(input).map_err(malformed)?;
            Asked {
                kind: Kind::Link,
                name: i.file_name,
                root_directory: i.root_directory,
                replace: i.flags.contains(LinkFlags::REPLACE_IF_EXISTS),
                ignore_read_only: i.flags.contains(LinkFlags::IGNORE_READONLY_ATTRIBUTE),
                posix: i.flags.contains(LinkFlags::POSIX_SEMANTICS),
            }
        }
        _ => {
            let i = FileRenameInformation::parse(input).map_err(malformed)?;
            Asked {
                kind: Kind::Rename,
                name: i.file_name,
                root_directory: i.root_directory,
                replace: i.replace_if_exists,
                ignore_read_only: false,
                posix: false,
            }
        }
    })
}

pub(super) fn start(cx: &mut Cx<'_>, class: FileInfoClass, input: &Bytes) -> CmdResult {
    let asked = read(class, input)?;
    // [MS-FSCC] 2.4.41.2: names count from the root of the share.
    if asked.root_directory != 0 {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    let (_, tree) = cx.tree()?;
    let share = tree.disk().ok_or(WRONG_REPLY)?;
    let (max_name, can, tree_access) = (share.max_name, share.capabilities, tree.access);
    match asked.kind {
        Kind::Rename => needs(cx, AccessMask::DELETE)?,
        Kind::Link if !can.contains(Capabilities::HARD_LINKS) => {
            return Err(Refusal(NtStatus::NOT_SUPPORTED));
        }
        // The open needs no right for this, but the share has to be one that can be written.
        Kind::Link if !tree_access.contains(AccessMask::FILE_WRITE_DATA) => {
            return Err(Refusal(NtStatus::ACCESS_DENIED));
        }
        Kind::Link => {}
    }
    let from = cx.file_open()?.at.clone();
    // A name in a snapshot, as CREATE understands it.
    if create::snapshot::split(&asked.name, can).1.is_some() {
        return Err(Refusal(NtStatus::MEDIA_WRITE_PROTECTED));
    }
    let to = new_name(&from, &asked.name, max_name)?;
    let task = Task {
        kind: asked.kind,
        to,
        replace: asked.replace,
        ignore_read_only: asked.ignore_read_only,
        posix: asked.posix,
        delete_child: false,
        replaces: false,
    };
    if task.kind == Kind::Rename
        && let Some(row) = others_handles(cx)?
    {
        cx.wait_for_breaks(row)?;
        return waits(super::State::Rename(State::Breaking(class, input.clone())));
    }
    if let Some(status) = refusal(cx, &task)? {
        return Err(Refusal(status));
    }
    if task.to == from && task.kind == Kind::Rename {
        return Ok(done());
    }
    if task.to.stream.is_some() {
        return apply(cx, task);
    }
    look_at_parent(cx, task)
}

fn look_at_parent(cx: &mut Cx<'_>, task: Task) -> CmdResult {
    let parent = task.to.path.parent().ok_or(WRONG_REPLY)?;
    look_at(cx, parent, false)?;
    waits(super::State::Rename(State::Parent(task)))
}

fn look_at_target(cx: &mut Cx<'_>, task: Task) -> CmdResult {
    look_at(cx, task.to.path.clone(), true)?;
    waits(super::State::Rename(State::Target(task)))
}

/// Somebody has the directory of the new name open, or what is to be replaced: asks for cached handles,
/// and refuses when there is none (left).
fn let_yield(cx: &mut Cx<'_>, task: Task, place: Place, node: NodeId) -> CmdResult {
    let (id, _) = cx.open()?;
    let (by, what, status) = match place {
        Place::Parent => (
            By {
                open: None,
                lease: cx.file_open()?.parent_lease,
            },
            Contention::Open {
                access: AccessMask::FILE_ADD_FILE,
                denied: true,
                overwrites: false,
                waited: true,
            },
            NtStatus::SHARING_VIOLATION,
        ),
        Place::Target => (
            breaks::by(cx.core, id),
            Contention::Name,
            NtStatus::ACCESS_DENIED,
        ),
    };
    let mut waits_in = None;
    for row in cx.core.rows_of(node) {
        if breaks::contend(cx.core, cx.now, row, by, what) {
            waits_in = waits_in.or(Some(row));
        }
    }
    let Some(row) = waits_in else {
        return Err(Refusal(status));
    };
    cx.wait_for_breaks(row)?;
    waits(super::State::Rename(State::Yielding(task, place)))
}

/// Asks others for the handles that they cache of what gets the new name, and of what is beneath it. A
/// row in which that has to be waited for, if any.
fn others_handles(cx: &mut Cx<'_>) -> Result<Option<Id<File>>, Refusal> {
    let (id, _) = cx.open()?;
    let own = breaks::name_goes(cx.core, cx.now, id);
    let beneath = rename::ask_for_handles_beneath(cx.core, cx.now, id);
    Ok(own.or(beneath))
}

/// Where the new name is. One that begins with a colon names a stream of the same file.
fn new_name(from: &Location, text: &str, max_name: u32) -> Result<Location, NtStatus> {
    if text.is_empty() {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    // A full pathname may begin with a backslash ([MS-FSA] 2.1.5.15.11), as smbclient sends hard links.
    let text = match text.strip_prefix('\\') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(':') => rest,
        _ => text,
    };
    let name = Name::parse(text, max_name)?;
    if text.starts_with(':') {
        // The unnamed stream cannot be given up for a named one, nor take the place of one: files
        // of POSIX systems always have it.
        if from.stream.is_none() || name.at.stream.is_none() {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        return Ok(Location {
            path: from.path.clone(),
            stream: name.at.stream,
        });
    }
    if from.stream.is_some() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if name.data || name.directory || name.at.path.is_root() {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    Ok(name.at)
}

/// What can be said without asking the backend.
fn refusal(cx: &Cx<'_>, task: &Task) -> Result<Option<NtStatus>, Refusal> {
    let (id, _) = cx.open()?;
    let file = cx.file_open()?;
    let going = cx.core.rows_of(file.node).iter().any(|r| {
        cx.core.files.get(*r).is_some_and(|row| {
            row.delete_pending.is_some() && (*r == file.file || row.key.stream.is_none())
        })
    });
    Ok(match task.kind {
        _ if going => Some(NtStatus::ACCESS_DENIED),
        Kind::Link if file.directory => Some(NtStatus::FILE_IS_A_DIRECTORY),
        Kind::Link if file.at.stream.is_some() => Some(NtStatus::INVALID_PARAMETER),
        Kind::Link => None,
        Kind::Rename if file.at.path.is_root() => Some(NtStatus::ACCESS_DENIED),
        Kind::Rename
            if file.directory
                && task
                    .to
                    .path
                    .beneath(&file.at.path)
                    .is_some_and(|rest| !rest.is_empty()) =>
        {
            Some(NtStatus::INVALID_PARAMETER)
        }
        Kind::Rename if file.directory && rename::in_use_beneath(cx.core, file) => {
            Some(NtStatus::ACCESS_DENIED)
        }
        Kind::Rename if rename::held_by_others(cx.core, id, file.file) => {
            Some(NtStatus::SHARING_VIOLATION)
        }
        Kind::Rename => None,
    })
}

/// Opens something only to look at it: what a link leads to, or the link.
fn look_at(cx: &mut Cx<'_>, path: SharePath, open_reparse: bool) -> Result<(), Refusal> {
    cx.ask_vfs(VfsOp::Open {
        at: path.into(),
        how: OpenHow {
            data: DataAccess::None,
            open_reparse,
        },
    })
}

pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    if let Wake::Completion(Completion::Vfs(Err(stop @ VfsError::StoppedOnSymlink { .. }))) = &wake
    {
        // The new name leads over a link.
        match &state {
            State::Parent(task) => {
                let last = Some(task.to.path.file_name());
                return create::refuse(cx, stop.clone().followed_by(last));
            }
            State::Target(_) | State::Changing(..) => return create::refuse(cx, stop.clone()),
            State::Breaking(..) | State::Closing(..) | State::Yielding(..) => {}
        }
    }
    match state {
        State::Breaking(class, input) => {
            breaks_done(&wake)?;
            start(cx, class, &input)
        }
        State::Parent(mut task) => match wake.vfs()? {
            VfsReply::Opened(parent) => {
                let next = judge_parent(cx, &mut task, &parent)?;
                close(cx, parent.handle, task, next)
            }
            VfsReply::Missing(_) => Err(Refusal(NtStatus::OBJECT_PATH_NOT_FOUND)),
            _ => Err(WRONG_REPLY),
        },
        State::Target(mut task) => match wake.vfs()? {
            VfsReply::Opened(target) => {
                let next = judge_target(cx, &mut task, &target)?;
                close(cx, target.handle, task, next)
            }
            VfsReply::Missing(_) => apply(cx, task),
            _ => Err(WRONG_REPLY),
        },
        State::Closing(task, next) => {
            // What was only looked at has nothing to lose.
            drop(wake);
            match next {
                Next::Refuse(status) => Err(Refusal(status)),
                Next::Change => apply(cx, task),
                Next::Target => look_at_target(cx, task),
                Next::Yield(place, node) => let_yield(cx, task, place, node),
            }
        }
        State::Yielding(task, place) => {
            breaks_done(&wake)?;
            match place {
                Place::Parent => look_at_parent(cx, task),
                Place::Target => look_at_target(cx, task),
            }
        }
        State::Changing(task, from) => {
            // Another rename of the file was faster, and has taken this open along.
            let overtaken = task.kind == Kind::Rename && cx.file_open()?.at != from;
            if overtaken
                && matches!(
                    &wake,
                    Wake::Completion(Completion::Vfs(Err(VfsError::NotFound)))
                )
            {
                return apply(cx, task);
            }
            expect_done(wake)?;
            finish(cx, task)
        }
    }
}

fn close(cx: &mut Cx<'_>, handle: VfsHandle, task: Task, next: Next) -> CmdResult {
    cx.ask_vfs(VfsOp::Close { handle })?;
    waits(super::State::Rename(State::Closing(task, next)))
}

/// The directory of the new name: entries may be added to it, and nobody holds it in a way that
/// forbids that its entries change.
fn judge_parent(cx: &Cx<'_>, task: &mut Task, parent: &Opened) -> Result<Next, Refusal> {
    let (id, _) = cx.open()?;
    let file = cx.file_open()?;
    if !parent.info.is_directory() {
        return Ok(Next::Refuse(NtStatus::OBJECT_PATH_NOT_FOUND));
    }
    let allowed = maximal(&parent.security, &file.by);
    let add = if file.directory {
        AccessMask::FILE_ADD_SUBDIRECTORY
    } else {
        AccessMask::FILE_ADD_FILE
    };
    if !allowed.contains(add) {
        return Ok(Next::Refuse(NtStatus::ACCESS_DENIED));
    }
    // Directories are renamed whoever holds the one that they are in: as in Samba, whose clients
    // keep watches there.
    if !file.directory && rename::directory_held(cx.core, id, parent.info.node) {
        return Ok(Next::Yield(Place::Parent, parent.info.node));
    }
    task.delete_child = allowed.contains(AccessMask::FILE_DELETE_CHILD);
    // The directory's name as stored, not as the client wrote it.
    if let Some(path) = parent.at.path.join(task.to.path.file_name()) {
        task.to.path = path;
    }
    Ok(Next::Target)
}

/// What has the new name already.
fn judge_target(cx: &Cx<'_>, task: &mut Task, target: &Opened) -> Result<Next, Refusal> {
    let (id, _) = cx.open()?;
    let file = cx.file_open()?;
    let info = &target.info;
    if info.node == file.node && task.kind == Kind::Rename {
        // The same file: a change of case, or another of its links.
        task.replaces = !same_name(task.to.path.as_str(), file.at.path.as_str());
        if task.replaces && !task.replace {
            return Ok(Next::Refuse(NtStatus::OBJECT_NAME_COLLISION));
        }
        return Ok(Next::Change);
    }
    if !task.replace {
        return Ok(Next::Refuse(NtStatus::OBJECT_NAME_COLLISION));
    }
    let read_only = info.attributes.contains(FileAttributes::READONLY) && !task.ignore_read_only;
    let deletable =
        task.delete_child || maximal(&target.security, &file.by).contains(AccessMask::DELETE);
    let open = cx.core.rows_of(info.node).iter().any(|r| {
        cx.core.files.get(*r).is_some_and(|row| {
            row.removing
                || if task.posix {
                    rename::held_by_others(cx.core, id, *r)
                } else {
                    !row.opens.is_empty()
                }
        })
    });
    if info.is_directory() || read_only || !deletable {
        return Ok(Next::Refuse(NtStatus::ACCESS_DENIED));
    }
    if open {
        return Ok(Next::Yield(Place::Target, info.node));
    }
    task.replaces = true;
    Ok(Next::Change)
}

/// The change itself.
fn apply(cx: &mut Cx<'_>, task: Task) -> CmdResult {
    // Others were at work while the backend was asked.
    if let Some(status) = refusal(cx, &task)? {
        return Err(Refusal(status));
    }
    let file = cx.file_open()?;
    let (handle, from) = (file.handle, file.at.clone());
    if task.to == from && task.kind == Kind::Rename {
        return Ok(done());
    }
    let op = match task.kind {
        Kind::Rename if mutated!(cx.core, OldNameKept) && !file.directory => VfsOp::Link {
            handle,
            to: task.to.path.clone(),
            replace: task.replace,
        },
        Kind::Rename => VfsOp::Rename {
            handle,
            from: from.clone(),
            to: task.to.clone(),
            replace: task.replace,
        },
        Kind::Link => VfsOp::Link {
            handle,
            to: task.to.path.clone(),
            replace: task.replace,
        },
    };
    cx.ask_vfs(op)?;
    waits(super::State::Rename(State::Changing(task, from)))
}

fn finish(cx: &mut Cx<'_>, task: Task) -> CmdResult {
    let (id, _) = cx.open()?;
    if task.replaces {
        rename::replaced(cx.core, cx.now, id, &task.to);
    }
    match task.kind {
        Kind::Rename => rename::renamed(cx.core, cx.now, id, &task.to),
        Kind::Link => rename::linked(cx.core, cx.now, id, &task.to),
    }
    Ok(done())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str, stream: Option<&str>) -> Location {
        Location {
            path: SharePath::new(path).unwrap(),
            stream: stream.map(str::to_owned),
        }
    }

    #[test]
    fn new_names() {
        let file = at("d\\f", None);
        let stream = at("d\\f", Some("s"));
        assert_eq!(new_name(&file, "e\\g", 255), Ok(at("e\\g", None)));
        assert_eq!(new_name(&file, "\\g", 255), Ok(at("g", None)));
        assert_eq!(new_name(&stream, ":t", 255), Ok(at("d\\f", Some("t"))));
        assert_eq!(
            new_name(&stream, ":t:$DATA", 255),
            Ok(at("d\\f", Some("t")))
        );
        for (from, text, status) in [
            (&file, "", NtStatus::OBJECT_NAME_INVALID),
            (&file, "g\\", NtStatus::OBJECT_NAME_INVALID),
            (&file, "g:s", NtStatus::OBJECT_NAME_INVALID),
            (&file, "a*", NtStatus::OBJECT_NAME_INVALID),
            (&file, "..\\g", NtStatus::OBJECT_PATH_SYNTAX_BAD),
            (&file, ":t", NtStatus::INVALID_PARAMETER),
            (&stream, "g", NtStatus::INVALID_PARAMETER),
            (&stream, "::$DATA", NtStatus::INVALID_PARAMETER),
        ] {
            assert_eq!(new_name(from, text, 255), Err(status), "{text:?}");
        }
    }

    #[test]
    fn four_forms() {
        use smb_proto::wire::Writer;
        let mut w = Writer::new();
        FileRenameInformationEx {
            flags: RenameFlags::REPLACE_IF_EXISTS | RenameFlags::IGNORE_READONLY_ATTRIBUTE,
            root_directory: 0,
            file_name: "x".to_owned(),
        }
        .encode(&mut w);
        let bytes = w.into_inner();
        let asked = read(FileInfoClass::RenameEx, &bytes).unwrap();
        assert!(asked.replace && asked.ignore_read_only && asked.kind == Kind::Rename);
        // The same bytes as the plain form: a BOOLEAN and padding.
        let asked = read(FileInfoClass::Link, &bytes).unwrap();
        assert!(asked.replace && !asked.ignore_read_only && asked.kind == Kind::Link);
        let refused = read(FileInfoClass::Rename, &bytes[..21]).map(|_| ());
        assert!(refused.is_err());
    }
}
