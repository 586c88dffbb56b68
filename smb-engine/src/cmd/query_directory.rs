//! QUERY_DIRECTORY, [MS-SMB2] 3.3.5.18, [MS-FSA] 2.1.5.6.3.
//!
//! Each open has one walk ([`Scan`]). A query that meets another one on the same open waits for it,
//! so that the walk is never carried on by two at once.

use smb_proto::dtyp::AccessMask;
use smb_proto::info::dir::{DirClass, DirEntry, DirList};
use smb_proto::msg::query_directory::{self, QueryDirectoryFlags};
use smb_proto::{NtStatus, msg};

use super::{CmdResult, Cx, Phase, Step, WRONG_REPLY};
use crate::acl::check::may_list;
use crate::core::{Open, Scan, Wait, Wake, write_time};
use crate::dispatch;
use crate::names::Pattern;
use crate::status::Refusal;
use crate::table::Id;
use crate::vfs::{DirItem, FileInfo, Listing, VfsOp, VfsReply};

/// Names asked for at a time; what the client has no room for is kept for its next query, so this
/// is also the bound on that.
const BATCH_MAX: usize = 256;
/// Names asked for at least, so that a client that takes single entries does not cost a question
/// for each.
const BATCH_MIN: usize = 16;
/// UTF-16 bytes of a name that are expected when the number of names is estimated.
const NAME_EXPECTED: usize = 24;

/// Where a query is.
#[derive(Debug)]
pub(crate) enum State {
    /// Another query on the same open runs.
    Queued(Query),
    /// Asking for the metadata of the directory itself, for `.` and `..`.
    Dots(Query),
    /// Asking for the next names.
    Names { query: Query, list: DirList },
}

/// What the client wants.
#[derive(Debug)]
pub(crate) struct Query {
    class: DirClass,
    flags: QueryDirectoryFlags,
    pattern: String,
    room: usize,
}

/// Enters a QUERY_DIRECTORY.
pub(super) fn start(cx: &mut Cx<'_>, request: query_directory::Request) -> CmdResult {
    let file = cx.file_open()?;
    if !file.directory || file.at.stream.is_some() {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    if request.output_buffer_length > cx.core.config.limits.max_transact {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    // FilePosixInformation belongs to extensions that are not negotiated.
    let class = DirClass::from_code(request.file_information_class)
        .filter(|c| *c != DirClass::Posix)
        .ok_or(Refusal(NtStatus::INVALID_INFO_CLASS))?;
    let room = usize::try_from(request.output_buffer_length).unwrap_or(usize::MAX);
    if room < class.fixed_len() {
        return Err(Refusal(NtStatus::INFO_LENGTH_MISMATCH));
    }
    // 3.3.5.18: the pattern is one component.
    if request.file_name.contains(['\\', '/', '\0']) {
        return Err(Refusal(NtStatus::OBJECT_NAME_INVALID));
    }
    let (id, open) = cx.open()?;
    if !open.granted.contains(AccessMask::FILE_LIST_DIRECTORY) {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    let query = Query {
        class,
        flags: request.flags,
        pattern: request.file_name,
        room,
    };
    enter(cx, id, query)
}

/// Goes on with a QUERY_DIRECTORY.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    let (id, _) = cx.open()?;
    match state {
        State::Queued(query) => match wake {
            Wake::Ready => enter(cx, id, query),
            Wake::Cancelled => Err(Refusal(NtStatus::CANCELLED)),
            Wake::Closed | Wake::Completion(_) => Err(Refusal(NtStatus::FILE_CLOSED)),
        },
        State::Dots(query) => {
            let step = match wake.vfs() {
                Ok(VfsReply::Info(info)) => {
                    let pattern = scan(cx)?.pattern.clone();
                    scan(cx)?.buffered.extend(dots(&info, pattern.as_ref()));
                    let list = DirList::new(query.class, query.room);
                    fill(cx, query, list)
                }
                Ok(_) => Err(WRONG_REPLY),
                Err(refusal) => Err(refusal),
            };
            leave(cx, id, step)
        }
        State::Names { query, list } => {
            let reply_of = wake.vfs().map(|r| write_time::in_reply(cx.core, r));
            let step = match reply_of {
                Ok(VfsReply::Listing(listing)) => match visible(cx, listing) {
                    Ok((ended, shown)) => {
                        let walk = scan(cx)?;
                        walk.ended = ended;
                        walk.rewind = false;
                        walk.buffered.extend(shown);
                        fill(cx, query, list)
                    }
                    Err(refusal) => Err(refusal),
                },
                Ok(_) => Err(WRONG_REPLY),
                // What was found before is worth an answer; the next query meets the error again.
                Err(_) if !list.is_empty() => scan(cx).map(|walk| reply(walk, list)),
                Err(refusal) => Err(refusal),
            };
            leave(cx, id, step)
        }
    }
}

fn scan<'a>(cx: &'a mut Cx<'_>) -> Result<&'a mut Scan, Refusal> {
    Ok(&mut cx.file_open_mut()?.scan)
}

fn waits(state: State) -> Step {
    Step::Wait(Phase::QueryDirectory(state))
}

/// Takes the walk, or waits until it is free.
fn enter(cx: &mut Cx<'_>, id: Id<Open>, query: Query) -> CmdResult {
    let op = cx.op;
    let walk = scan(cx)?;
    if walk.busy {
        walk.waiting.push_back(op);
        cx.wait_for(Wait::Scan(id))?;
        return Ok(waits(State::Queued(query)));
    }
    walk.busy = true;
    let step = begin(cx, query);
    leave(cx, id, step)
}

/// Gives the walk back if the query is over, and lets the next one have it.
fn leave(cx: &mut Cx<'_>, id: Id<Open>, step: CmdResult) -> CmdResult {
    if matches!(step, Ok(Step::Wait(_))) {
        return step;
    }
    scan(cx)?.busy = false;
    wake_waiting(cx, id);
    step
}

/// Wakes waiting queries until one of them keeps the walk. Those that finish at once come back
/// here, so only the outermost call goes round; the stack does not grow with their number.
fn wake_waiting(cx: &mut Cx<'_>, id: Id<Open>) {
    let free = |cx: &mut Cx<'_>| {
        let walk = &mut cx.core.opens.get_mut(id)?.file_mut()?.scan;
        (!walk.busy).then(|| walk.waiting.pop_front()).flatten()
    };
    let Ok(walk) = scan(cx) else { return };
    if std::mem::replace(&mut walk.waking, true) {
        return;
    }
    while let Some(next) = free(cx) {
        dispatch::wake(cx.core, cx.now, next, Wake::Ready);
    }
    if let Ok(walk) = scan(cx) {
        walk.waking = false;
    }
}

/// Sets the walk up as the flags say and fetches what is needed first.
///
/// The pattern of the first query stays for the walk. REOPEN begins as on a new open; a restart
/// takes a new pattern if there is one ([MS-FSA] 2.1.5.6.3).
fn begin(cx: &mut Cx<'_>, query: Query) -> CmdResult {
    use QueryDirectoryFlags as F;
    let handle = cx.file_open()?.handle;
    let walk = scan(cx)?;
    let reopen = query.flags.contains(F::REOPEN);
    let fresh = reopen || !walk.started;
    if !fresh && !query.flags.contains(F::RESTART_SCANS) {
        let list = DirList::new(query.class, query.room);
        return fill(cx, query, list);
    }
    if fresh || !query.pattern.is_empty() {
        walk.pattern = Pattern::new(&query.pattern);
    }
    if fresh {
        walk.answered = false;
    }
    walk.started = true;
    walk.ended = false;
    walk.rewind = true;
    walk.buffered.clear();
    if wants_dots(walk.pattern.as_ref()) {
        cx.ask_vfs(VfsOp::Stat { handle })?;
        return Ok(waits(State::Dots(query)));
    }
    let list = DirList::new(query.class, query.room);
    fill(cx, query, list)
}

/// Whether `.` or `..` belongs into the listing: for expressions with wildcards that match them.
fn wants_dots(pattern: Option<&Pattern>) -> bool {
    pattern.is_none_or(|p| !p.is_literal() && (p.matches(".") || p.matches("..")))
}

/// The entries `.` and `..`. Both show the directory itself, so that nothing is told about what lies
/// above a share; `..` has FileId 0, as on NTFS ([MS-FSCC] 2.4.21).
fn dots(info: &FileInfo, pattern: Option<&Pattern>) -> Vec<DirItem> {
    [".", ".."]
        .into_iter()
        .filter(|name| pattern.is_none_or(|p| p.matches(name)))
        .map(|name| {
            let mut info = info.clone();
            if name == ".." {
                info.node.file = 0;
            }
            DirItem {
                name: name.to_owned(),
                short_name: String::new(),
                info,
                security: None,
            }
        })
        .collect()
}

/// Puts buffered names into the answer and asks for more while there is room.
fn fill(cx: &mut Cx<'_>, query: Query, mut list: DirList) -> CmdResult {
    let single = query
        .flags
        .contains(QueryDirectoryFlags::RETURN_SINGLE_ENTRY);
    let handle = cx.file_open()?.handle;
    let walk = scan(cx)?;
    while let Some(item) = walk.buffered.front() {
        if !list.push(&entry(item)) {
            // 3.3.5.18: not even one entry fits.
            if list.is_empty() {
                return Err(Refusal(NtStatus::INFO_LENGTH_MISMATCH));
            }
            return Ok(reply(walk, list));
        }
        walk.buffered.pop_front();
        if single {
            return Ok(reply(walk, list));
        }
    }
    if walk.ended {
        return end(walk, list);
    }
    let least = query.class.fixed_len().saturating_add(NAME_EXPECTED);
    let left = query.room.saturating_sub(list.len());
    if !list.is_empty() && left < least {
        return Ok(reply(walk, list));
    }
    let limit = left
        .checked_div(least)
        .unwrap_or(0)
        .clamp(BATCH_MIN, BATCH_MAX);
    let (restart, pattern) = (walk.rewind, walk.pattern.clone());
    cx.ask_vfs(VfsOp::List {
        handle,
        restart,
        pattern,
        limit,
        security: hides(cx),
    })?;
    Ok(waits(State::Names { query, list }))
}

/// Whether the share leaves out of listings what the user may not read.
fn hides(cx: &Cx<'_>) -> bool {
    let disk = cx.tree().ok().and_then(|(_, tree)| tree.disk());
    disk.is_some_and(|share| share.hide_unreadable)
}

/// Whether nothing follows, and of the names those that the user is shown: on a share with
/// access-based enumeration what he may read. A name without descriptor is not shown there.
fn visible(cx: &Cx<'_>, listing: Listing) -> Result<(bool, Vec<DirItem>), Refusal> {
    // A backend that has nothing to say has come to the end, whatever it claims.
    let ended = listing.end || listing.items.is_empty();
    let mut shown = listing.items;
    if hides(cx) {
        let by = &cx.file_open()?.by;
        shown.retain(|item| item.security.as_ref().is_some_and(|sd| may_list(sd, by)));
    }
    Ok((ended, shown))
}

/// Nothing follows: what there is, or that there was nothing at all, or nothing more.
fn end(walk: &mut Scan, list: DirList) -> CmdResult {
    if !list.is_empty() {
        return Ok(reply(walk, list));
    }
    Err(Refusal(if std::mem::replace(&mut walk.answered, true) {
        NtStatus::NO_MORE_FILES
    } else {
        NtStatus::NO_SUCH_FILE
    }))
}

fn reply(walk: &mut Scan, list: DirList) -> Step {
    walk.answered = true;
    msg::Response::QueryDirectory(query_directory::Response {
        output: list.into_inner().freeze(),
    })
    .into()
}

fn entry(item: &DirItem) -> DirEntry {
    let i = &item.info;
    DirEntry {
        file_index: 0,
        creation_time: i.creation,
        last_access_time: i.access,
        last_write_time: i.write,
        change_time: i.change,
        end_of_file: i.size,
        allocation_size: i.allocation,
        attributes: i.attributes,
        ea_size: i.ea_size,
        reparse_tag: i.reparse_tag,
        short_name: item.short_name.clone(),
        file_id: i.node.file,
        file_id_128: u128::from(i.node.file),
        name: item.name.clone(),
        posix: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::NodeId;
    use smb_proto::FileTime;
    use smb_proto::info::FileAttributes;

    fn directory() -> FileInfo {
        FileInfo {
            node: NodeId { volume: 1, file: 9 },
            creation: FileTime(1),
            access: FileTime(2),
            write: FileTime(3),
            change: FileTime(4),
            size: 0,
            allocation: 0,
            attributes: FileAttributes::DIRECTORY,
            links: 1,
            ea_size: 0,
            reparse_tag: 0,
            hidden_by_name: false,
        }
    }

    #[test]
    fn dots_come_with_wildcards_only() {
        let names = |p: &str| {
            let p = Pattern::new(p);
            if !wants_dots(p.as_ref()) {
                return Vec::new();
            }
            dots(&directory(), p.as_ref())
                .into_iter()
                .map(|i| (i.name, i.info.node.file))
                .collect::<Vec<_>>()
        };
        let both = vec![(".".to_owned(), 9), ("..".to_owned(), 0)];
        assert_eq!(names("*"), both);
        assert_eq!(names(""), both);
        assert_eq!(names("?"), both[..1]);
        for none in [".", "..", "a*", "file.txt", "*.txt"] {
            assert_eq!(names(none), [], "{none}");
        }
    }

    #[test]
    fn the_end_is_told_once_as_nothing_found() {
        let mut walk = Scan::default();
        let mut status = || {
            let list = DirList::new(DirClass::Names, 100);
            end(&mut walk, list).unwrap_err().0
        };
        assert_eq!(status(), NtStatus::NO_SUCH_FILE);
        assert_eq!(status(), NtStatus::NO_MORE_FILES);
    }
}
