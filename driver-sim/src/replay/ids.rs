//! Ids of a capture and the ids that stand for them in a replay.

use std::collections::BTreeMap;

use bytes::Bytes;
use smb_proto::fsctl::FsctlCode;
use smb_proto::header::{HEADER_LEN, HeaderFlags, Route};
use smb_proto::id::{AsyncId, FileId, SessionId, TreeId};
use smb_proto::msg::Response;
use smb_proto::{Command, Header};

/// Length of the key of FSCTL_SRV_REQUEST_RESUME_KEY, [MS-SMB2] 2.2.32.3.
const RESUME_KEY_LEN: usize = 24;
/// Length of an RPC context handle, [C706] 2.2.
const HANDLE_LEN: usize = 20;
/// Header of an RPC response or request with call data, [C706] 12.6.4.
const RPC_HEADER_LEN: usize = 24;

/// What one server's ids have become.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// Of each connection: some servers count from 1 on each.
    sessions: BTreeMap<(usize, SessionId), SessionId>,
    trees: BTreeMap<(usize, SessionId, TreeId), TreeId>,
    files: BTreeMap<(usize, SessionId, FileId), FileId>,
    /// Whatever connection they were made on, the latest: a session can be used on several.
    any_sessions: BTreeMap<SessionId, SessionId>,
    any_trees: BTreeMap<(SessionId, TreeId), TreeId>,
    /// Whatever session they belong to: a durable open outlives its session.
    any_files: BTreeMap<FileId, FileId>,
    resume_keys: BTreeMap<Bytes, Bytes>,
    handles: BTreeMap<Bytes, Bytes>,
}

/// Where ids belong: a connection of the capture, and the capture's session.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) conn: usize,
    pub(super) session: SessionId,
}

/// What a request names that nothing in the replay stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Session(SessionId),
    Tree(TreeId),
    File(FileId),
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session(id) => write!(f, "session {id}"),
            Self::Tree(id) => write!(f, "tree connect {id}"),
            Self::File(id) => write!(f, "open {id}"),
        }
    }
}

/// Where the FileId of a request lies in its element, [MS-SMB2] 2.2.15 and on.
fn file_id_at(command: Command, element: &[u8]) -> Option<usize> {
    Some(match command {
        Command::Close
        | Command::Flush
        | Command::Lock
        | Command::Ioctl
        | Command::QueryDirectory
        | Command::ChangeNotify => HEADER_LEN + 8,
        Command::Read | Command::Write | Command::SetInfo => HEADER_LEN + 16,
        Command::QueryInfo => HEADER_LEN + 24,
        // The acknowledgement of a lease break has a key instead, and another size.
        Command::OplockBreak if element.get(HEADER_LEN) == Some(&24) => HEADER_LEN + 8,
        Command::OplockBreak
        | Command::Negotiate
        | Command::SessionSetup
        | Command::Logoff
        | Command::TreeConnect
        | Command::TreeDisconnect
        | Command::Create
        | Command::Cancel
        | Command::Echo => return None,
    })
}

fn file_id(bytes: &[u8], at: usize) -> Option<FileId> {
    let id = bytes.get(at..)?;
    Some(FileId {
        persistent: u64::from_le_bytes(*id.first_chunk()?),
        volatile: u64::from_le_bytes(*id.get(8..)?.first_chunk()?),
    })
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(to) = at
        .checked_add(value.len())
        .and_then(|end| bytes.get_mut(at..end))
    {
        to.copy_from_slice(value);
    }
}

fn put_file_id(bytes: &mut [u8], at: usize, id: FileId) {
    put(bytes, at, &id.persistent.to_le_bytes());
    put(bytes, at + 8, &id.volatile.to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let value = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*value)).ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let value = bytes.get(at..)?.first_chunk()?;
    Some(usize::from(u16::from_le_bytes(*value)))
}

impl Ids {
    /// The session that stands for one of the capture; 0 and all ones stand for themselves.
    pub(super) fn session(&self, conn: usize, id: SessionId) -> Option<SessionId> {
        if id.0 == 0 || id == SessionId::RELATED {
            return Some(id);
        }
        let own = self.sessions.get(&(conn, id));
        own.or_else(|| self.any_sessions.get(&id)).copied()
    }

    fn tree(&self, at: At, id: TreeId) -> Option<TreeId> {
        if id.0 == 0 || id == TreeId::RELATED {
            return Some(id);
        }
        let own = self.trees.get(&(at.conn, at.session, id));
        own.or_else(|| self.any_trees.get(&(at.session, id)))
            .copied()
    }

    pub(super) fn file(&self, at: At, id: FileId) -> Option<FileId> {
        if id == FileId::RELATED {
            return Some(id);
        }
        let own = self.files.get(&(at.conn, at.session, id));
        own.or_else(|| self.any_files.get(&id)).copied()
    }

    /// Enters ids into an element of a request, in place. `at` has the session of a
    /// related element filled in. Gives what could not be found; those ids stay as captured.
    pub(super) fn rewrite(&self, element: &mut [u8], header: &Header, at: At) -> Vec<Missing> {
        let mut missing = Vec::new();
        match self.session(at.conn, header.session_id) {
            Some(id) => put(element, 40, &id.0.to_le_bytes()),
            None => missing.push(Missing::Session(header.session_id)),
        }
        if let Route::Sync { tree_id, .. } = header.route {
            match self.tree(at, tree_id) {
                Some(id) => put(element, 36, &id.0.to_le_bytes()),
                None => missing.push(Missing::Tree(tree_id)),
            }
        }
        let Some(command) = header.command() else {
            return missing;
        };
        if let Some(place) = file_id_at(command, element)
            && let Some(id) = file_id(element, place)
        {
            match self.file(at, id) {
                Some(id) => put_file_id(element, place, id),
                // All ones: an IOCTL that concerns no open.
                None => missing.push(Missing::File(id)),
            }
        }
        match command {
            Command::SessionSetup => {
                let place = HEADER_LEN + 16;
                let previous = element.get(place..).and_then(|b| b.first_chunk());
                let previous = previous.map(|b| SessionId(u64::from_le_bytes(*b)));
                if let Some(id) = previous.and_then(|p| self.session(at.conn, p)) {
                    put(element, place, &id.0.to_le_bytes());
                }
            }
            Command::Create => self.rewrite_contexts(element, at),
            Command::Ioctl => {
                self.rewrite_ioctl(element, at);
            }
            Command::Write => {
                let data = u16_at(element, HEADER_LEN + 2);
                let len = u32_at(element, HEADER_LEN + 4);
                if let (Some(data), Some(len)) = (data, len) {
                    self.rewrite_rpc(element, data, len);
                }
            }
            _ => {}
        }
        missing
    }

    /// FileIds in the contexts that reconnect durable opens, [MS-SMB2] 2.2.13.2.4, 2.2.13.2.12.
    fn rewrite_contexts(&self, element: &mut [u8], owner: At) {
        let Some(mut at) = u32_at(element, HEADER_LEN + 48) else {
            return;
        };
        // A chain can hardly have more; the bound ends loops.
        for _ in 0..64 {
            if at == 0 {
                return;
            }
            let name = u16_at(element, at + 4).and_then(|n| element.get(at + n..at + n + 4));
            let data = u16_at(element, at + 10).map(|d| at + d);
            if name.is_some_and(|n| n == b"DHnC" || n == b"DH2C")
                && let Some(data) = data
                && let Some(id) = file_id(element, data)
                && let Some(ours) = self.file(owner, id)
            {
                put_file_id(element, data, ours);
            }
            match u32_at(element, at) {
                Some(next) if next > 0 => at += next,
                _ => return,
            }
        }
    }

    fn rewrite_ioctl(&self, element: &mut [u8], owner: At) -> Option<()> {
        let code = FsctlCode(u32::try_from(u32_at(element, HEADER_LEN + 4)?).ok()?);
        let at = u32_at(element, HEADER_LEN + 24)?;
        let len = u32_at(element, HEADER_LEN + 28)?;
        match code {
            FsctlCode::SRV_COPYCHUNK | FsctlCode::SRV_COPYCHUNK_WRITE => {
                let key = element.get(at..at.checked_add(RESUME_KEY_LEN)?)?;
                let ours = self.resume_keys.get(key)?.clone();
                put(element, at, &ours);
            }
            FsctlCode::DUPLICATE_EXTENTS_TO_FILE => {
                let ours = self.file(owner, file_id(element, at)?)?;
                put_file_id(element, at, ours);
            }
            FsctlCode::PIPE_TRANSCEIVE => self.rewrite_rpc(element, at, len),
            _ => {}
        }
        Some(())
    }

    /// Context handles in the stub of an RPC request. They are opaque and long, so wherever one
    /// stands it is one.
    fn rewrite_rpc(&self, element: &mut [u8], at: usize, len: usize) {
        if self.handles.is_empty() {
            return;
        }
        let Some(pdu) = at.checked_add(len).and_then(|end| element.get_mut(at..end)) else {
            return;
        };
        // Version 5.0, type REQUEST.
        if !pdu.starts_with(&[5, 0, 0]) {
            return;
        }
        let mut at = RPC_HEADER_LEN;
        while let Some(window) = pdu.get(at..at + HANDLE_LEN) {
            if let Some(ours) = self.handles.get(window).cloned() {
                put(pdu, at, &ours);
            }
            at += 4;
        }
    }

    /// Learns from a pair of answers to the same request.
    pub(super) fn learn(
        &mut self,
        at: At,
        captured: (&Header, Option<&Response>),
        ours: (&Header, Option<&Response>),
    ) {
        let (their, our) = (captured.0, ours.0);
        if their.session_id.0 != 0 && our.session_id.0 != 0 {
            match their.command() {
                Some(Command::SessionSetup) => {
                    let (theirs, ours) = (their.session_id, our.session_id);
                    self.sessions.insert((at.conn, theirs), ours);
                    self.any_sessions.insert(theirs, ours);
                }
                Some(Command::TreeConnect) if is_ok(their) && is_ok(our) => {
                    let (theirs, ours) = (their.tree_id(), our.tree_id());
                    self.trees.insert((at.conn, at.session, theirs), ours);
                    self.any_trees.insert((at.session, theirs), ours);
                }
                _ => {}
            }
        }
        match (captured.1, ours.1) {
            (Some(Response::Create(theirs)), Some(Response::Create(ours))) => {
                let key = (at.conn, at.session, theirs.file_id);
                self.files.insert(key, ours.file_id);
                self.any_files.insert(theirs.file_id, ours.file_id);
            }
            (Some(Response::Ioctl(theirs)), Some(Response::Ioctl(ours))) => {
                if theirs.ctl_code == FsctlCode::SRV_REQUEST_RESUME_KEY {
                    let key =
                        |b: &Bytes| (b.len() >= RESUME_KEY_LEN).then(|| b.slice(..RESUME_KEY_LEN));
                    if let (Some(t), Some(o)) = (key(&theirs.output), key(&ours.output)) {
                        self.resume_keys.insert(t, o);
                    }
                }
                self.learn_handle(&theirs.output, &ours.output);
            }
            (Some(Response::Read(theirs)), Some(Response::Read(ours))) => {
                self.learn_handle(&theirs.data, &ours.data);
            }
            _ => {}
        }
    }

    /// An RPC response whose stub is a handle and a status makes a handle.
    fn learn_handle(&mut self, theirs: &Bytes, ours: &Bytes) {
        const WHOLE: usize = RPC_HEADER_LEN + HANDLE_LEN + 4;
        let handle = |b: &Bytes| {
            // Version 5.0, type RESPONSE; a verifier may follow.
            let fits = b.starts_with(&[5, 0, 2]) && b.len() >= WHOLE;
            fits.then(|| b.slice(RPC_HEADER_LEN..RPC_HEADER_LEN + HANDLE_LEN))
                .filter(|h| h.starts_with(&[0; 4]) && h.iter().any(|b| *b != 0))
        };
        if theirs.len() == WHOLE
            && let (Some(t), Some(o)) = (handle(theirs), handle(ours))
        {
            self.handles.insert(t, o);
        }
    }
}

fn is_ok(header: &Header) -> bool {
    header.status == smb_proto::NtStatus::SUCCESS
}

/// Makes an element name its target by an id that the server gave, or by none.
pub(super) fn set_async(element: &mut [u8], id: Option<AsyncId>) {
    let flags = element.get(16..20).and_then(|f| f.first_chunk());
    let Some(flags) = flags.map(|f| u32::from_le_bytes(*f)) else {
        return;
    };
    let mut flags = HeaderFlags::from_bits_retain(flags);
    flags.set(HeaderFlags::ASYNC_COMMAND, id.is_some());
    put(element, 16, &flags.bits().to_le_bytes());
    put(element, 32, &id.map_or(0, |id| id.0).to_le_bytes());
}

/// Enters a message id.
pub(super) fn set_message_id(element: &mut [u8], id: u64) {
    put(element, 24, &id.to_le_bytes());
}

/// Enters NextCommand.
pub(super) fn set_next(element: &mut [u8], next: u32) {
    put(element, 20, &next.to_le_bytes());
}
