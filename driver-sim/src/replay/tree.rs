//! What a share must have held when a capture began, told from what happened in it.
//!
//! The conversations are gone through in order of time. A name that is opened, listed or refused as
//! existing, and that nobody in the capture has made, was there before; with it come the first
//! attributes, times, sizes, descriptor and content that the server showed.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use smb_engine::names::fold;
use smb_proto::dtyp::SecurityDescriptor;
use smb_proto::id::FileId;
use smb_proto::info::dir::{DirClass, parse_list};
use smb_proto::info::file::{
    DispositionFlags, FileAllInformation, FileBasicInformation, FileDispositionInformation,
    FileDispositionInformationEx, FileFullEaInformation, FileLinkInformation,
    FileNetworkOpenInformation, FileRenameInformation, FileStandardInformation,
    FileStreamInformation,
};
use smb_proto::info::fs::{FileFsAttributeInformation, FileFsVolumeInformation};
use smb_proto::info::{FileAttributes, FileInfoClass, FsInfoClass, InfoType};
use smb_proto::msg::create::CreateOptions;
use smb_proto::msg::{Request, Response, create, query_info, set_info};
use smb_proto::{FileTime, NtStatus};

use super::names::{merge, share_name, split_name, writes};
use crate::capture::{Conversation, Message};

/// Content that is kept of one file; what lies behind reads as zeros.
const CONTENT_MAX: u64 = 256 << 20;

/// A share with what was in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Share {
    /// Name as the first client gave it.
    pub(super) name: String,
    /// By folded path; the root is the empty one.
    pub(super) nodes: BTreeMap<String, Node>,
    /// Name of the file system, where it was asked for.
    pub(super) file_system: Option<String>,
    /// Label of the volume, where it was asked for.
    pub(super) label: Option<String>,
}

/// A name of which something is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// As first seen.
    pub(super) path: String,
    /// What it was in the beginning, if it was there.
    pub(super) initial: Option<Initial>,
    now: Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Presence {
    /// Nothing is known yet.
    #[default]
    Unknown,
    Here,
    Gone,
}

/// A file or directory as the capture found it.
#[derive(Debug, Clone, Default)]
pub(super) struct Initial {
    /// `None`: nobody said; a file unless something lies in it.
    pub(super) directory: Option<bool>,
    pub(super) attributes: Option<FileAttributes>,
    pub(super) times: Option<[FileTime; 4]>,
    pub(super) security: Option<SecurityDescriptor>,
    pub(super) eas: Vec<FileFullEaInformation>,
    /// By folded name, the unnamed one under the empty name.
    pub(super) streams: BTreeMap<String, Stream>,
    /// Somebody in the capture has changed times, attributes, descriptor or EAs.
    changed: bool,
    /// Its name in a listing, which tells the case.
    listed: bool,
}

/// A stream as the capture found it.
#[derive(Debug, Clone, Default)]
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) size: Option<u64>,
    pub(super) content: Vec<(u64, Bytes)>,
    /// Written to, or its size set: what is read later is no longer what was there.
    changed: bool,
}

/// An open as the capture names it.
#[derive(Debug, Clone)]
struct Open {
    share: String,
    path: String,
    stream: String,
    directory: bool,
    delete: bool,
}

/// Goes through conversations and collects shares.
#[derive(Debug, Default)]
pub(super) struct Inference {
    pub(super) shares: BTreeMap<String, Share>,
    opens: BTreeMap<(usize, FileId), Open>,
}

impl Inference {
    /// Goes through all conversations with one server.
    pub(super) fn run(conversations: &[&Conversation]) -> BTreeMap<String, Share> {
        let mut this = Self::default();
        let mut order: Vec<(Duration, usize, usize)> = Vec::new();
        for (c, conversation) in conversations.iter().enumerate() {
            let answers = conversation.messages.iter().filter(|m| m.request.is_some());
            order.extend(answers.map(|m| (m.time, c, m.number)));
        }
        order.sort_unstable();
        for (_, c, number) in order {
            let Some(conversation) = conversations.get(c) else {
                continue;
            };
            let answer = conversation.messages.get(number);
            let pair = answer.and_then(|a| Some((conversation.request_of(a)?, a)));
            if let Some((request, answer)) = pair
                && !answer.is_interim()
            {
                this.exchange(c, request, answer);
            }
        }
        this.shares
    }

    fn exchange(&mut self, conn: usize, request: &Message, answer: &Message) {
        let (Some(asked), Some(path)) = (request.as_request(), request.resolved.share.as_deref())
        else {
            return;
        };
        let share = share_name(path).to_owned();
        let status = answer.header.status;
        let said = answer.as_response();
        if let Request::Create(create) = asked {
            let opened = match said {
                Some(Response::Create(opened)) => Some(opened),
                _ => None,
            };
            return self.create(conn, &share, create, opened, status);
        }
        let Some(id) = request.resolved.file.map(|id| self.key_of(conn, id)) else {
            return;
        };
        let Some(open) = self.opens.get(&id).cloned() else {
            return;
        };
        match (asked, said) {
            (Request::Close(_), _) if status == NtStatus::SUCCESS => {
                self.opens.remove(&id);
                if open.delete && open.stream.is_empty() {
                    self.node(&open.share, &open.path).now = Presence::Gone;
                }
            }
            (Request::Read(r), Some(Response::Read(data))) => {
                self.read(&open, r.offset, &data.data);
            }
            (Request::Write(_), _) if status == NtStatus::SUCCESS => self.changed(&open, true),
            (Request::Ioctl(r), _) if status == NtStatus::SUCCESS && writes(r.ctl_code) => {
                self.changed(&open, true);
            }
            (Request::SetInfo(r), _) if status == NtStatus::SUCCESS => {
                self.set_info(id, &open, r);
            }
            (Request::QueryInfo(r), Some(Response::QueryInfo(data))) => {
                self.query_info(&open, r, &data.output);
            }
            (Request::QueryDirectory(r), Some(Response::QueryDirectory(data))) => {
                if let Some(class) = DirClass::from_code(r.file_information_class) {
                    self.listed(&open, class, &data.output);
                }
            }
            _ => {}
        }
    }

    /// Where an open is kept: under the connection that made it, which need not be this one.
    fn key_of(&self, conn: usize, id: FileId) -> (usize, FileId) {
        let own = (conn, id);
        if self.opens.contains_key(&own) {
            return own;
        }
        let other = self.opens.keys().find(|(_, other)| *other == id);
        other.copied().unwrap_or(own)
    }

    fn share(&mut self, name: &str) -> &mut Share {
        let share = self.shares.entry(fold(name)).or_default();
        if share.name.is_empty() {
            name.clone_into(&mut share.name);
        }
        share
    }

    fn node(&mut self, share: &str, path: &str) -> &mut Node {
        let node = self.share(share).nodes.entry(fold(path)).or_default();
        if node.path.is_empty() {
            path.clone_into(&mut node.path);
        }
        node
    }

    /// Something of this name is there now; if nobody has made it, it was there before, and so were
    /// the directories above it.
    fn present(&mut self, share: &str, path: &str) -> Option<&mut Initial> {
        self.parents(share, path);
        let node = self.node(share, path);
        if node.now == Presence::Unknown {
            node.initial = Some(Initial::default());
        }
        node.now = Presence::Here;
        node.initial.as_mut()
    }

    fn parents(&mut self, share: &str, path: &str) {
        let Some((parent, _)) = path.rsplit_once('\\') else {
            return;
        };
        let parent = parent.to_owned();
        if let Some(initial) = self.present(share, &parent) {
            initial.directory = Some(true);
        }
    }

    fn create(
        &mut self,
        conn: usize,
        share: &str,
        asked: &create::Request,
        opened: Option<&create::Response>,
        status: NtStatus,
    ) {
        let by_id = asked
            .create_options
            .contains(CreateOptions::OPEN_BY_FILE_ID);
        let Some((path, stream)) = split_name(&asked.name).filter(|_| !by_id) else {
            return;
        };
        let Some(opened) = opened else {
            return self.refused(share, &path, &stream, asked, status);
        };
        let directory =
            stream.is_empty() && opened.file_attributes.contains(FileAttributes::DIRECTORY);
        self.opens.insert(
            (conn, opened.file_id),
            Open {
                share: share.to_owned(),
                path: path.clone(),
                stream: stream.clone(),
                directory,
                delete: asked
                    .create_options
                    .contains(CreateOptions::DELETE_ON_CLOSE),
            },
        );
        if opened.create_action == create::CreateAction::CREATED {
            self.parents(share, &path);
            let node = self.node(share, &path);
            // The file of a new stream comes with it, if nothing was known of it.
            node.now = Presence::Here;
            if let Some(initial) = &mut node.initial {
                initial.changed = true;
            }
            return;
        }
        let Some(initial) = self.present(share, &path) else {
            return;
        };
        let whole = opened.create_action == create::CreateAction::OPENED;
        if stream.is_empty() {
            initial.directory = Some(directory);
        }
        if whole && !initial.changed && stream.is_empty() {
            initial.attributes.get_or_insert(opened.file_attributes);
            initial.times.get_or_insert([
                opened.creation_time,
                opened.last_access_time,
                opened.last_write_time,
                opened.change_time,
            ]);
        }
        if !directory {
            let s = initial.stream(&stream);
            if whole && !s.changed {
                s.size.get_or_insert(opened.end_of_file);
            }
            s.changed |= !whole;
        }
        initial.changed |= !whole;
    }

    /// What an error says about names.
    fn refused(
        &mut self,
        share: &str,
        path: &str,
        stream: &str,
        asked: &create::Request,
        status: NtStatus,
    ) {
        match status {
            NtStatus::OBJECT_NAME_NOT_FOUND if stream.is_empty() => {
                self.parents(share, path);
                let node = self.node(share, path);
                if node.now == Presence::Unknown {
                    node.now = Presence::Gone;
                }
            }
            NtStatus::OBJECT_NAME_NOT_FOUND => {}
            NtStatus::OBJECT_NAME_COLLISION
            | NtStatus::SHARING_VIOLATION
            | NtStatus::DELETE_PENDING
            | NtStatus::CANNOT_DELETE => {
                if let Some(initial) = self.present(share, path) {
                    let directory = asked.create_options.contains(CreateOptions::DIRECTORY_FILE);
                    // A collision leaves open what it is that is there.
                    if status != NtStatus::OBJECT_NAME_COLLISION && directory {
                        initial.directory.get_or_insert(true);
                    }
                }
            }
            NtStatus::FILE_IS_A_DIRECTORY | NtStatus::NOT_A_DIRECTORY => {
                if let Some(initial) = self.present(share, path) {
                    initial.directory = Some(status == NtStatus::FILE_IS_A_DIRECTORY);
                }
            }
            _ => {}
        }
    }

    fn initial(&mut self, open: &Open) -> Option<&mut Initial> {
        self.node(&open.share, &open.path).initial.as_mut()
    }

    fn changed(&mut self, open: &Open, content: bool) {
        let stream = open.stream.clone();
        let directory = open.directory;
        if let Some(initial) = self.initial(open) {
            initial.changed = true;
            if content && !directory {
                initial.stream(&stream).changed = true;
            }
        }
    }

    fn read(&mut self, open: &Open, offset: u64, data: &Bytes) {
        if offset >= CONTENT_MAX {
            return;
        }
        let stream = open.stream.clone();
        if let Some(initial) = self.initial(open) {
            let s = initial.stream(&stream);
            if !s.changed {
                s.content.push((offset, data.clone()));
            }
        }
    }

    fn set_info(&mut self, id: (usize, FileId), open: &Open, r: &set_info::Request) {
        if InfoType::from_code(r.info_type) != Some(InfoType::File) {
            return self.changed(open, false);
        }
        let class = FileInfoClass::from_code(r.file_info_class);
        let delete = match class {
            Some(FileInfoClass::Disposition) => {
                let d = FileDispositionInformation::parse(&r.buffer);
                d.ok().map(|d| d.delete_pending)
            }
            Some(FileInfoClass::DispositionEx) => {
                let d = FileDispositionInformationEx::parse(&r.buffer);
                d.ok().map(|d| d.flags.contains(DispositionFlags::DELETE))
            }
            // The forms with flags have the same layout.
            Some(FileInfoClass::Rename | FileInfoClass::RenameEx) => {
                if let Ok(to) = FileRenameInformation::parse(&r.buffer) {
                    self.renamed(id, open, &to.file_name);
                }
                return;
            }
            Some(FileInfoClass::Link | FileInfoClass::LinkEx) => {
                if let Ok(to) = FileLinkInformation::parse(&r.buffer)
                    && let Some((path, _)) = split_name(to.file_name.trim_start_matches('\\'))
                {
                    self.parents(&open.share, &path);
                    self.node(&open.share, &path).now = Presence::Here;
                }
                return;
            }
            Some(FileInfoClass::EndOfFile | FileInfoClass::Allocation) => {
                return self.changed(open, true);
            }
            _ => return self.changed(open, false),
        };
        if let (Some(delete), Some(open)) = (delete, self.opens.get_mut(&id)) {
            open.delete = delete;
        }
    }

    fn renamed(&mut self, id: (usize, FileId), open: &Open, to: &str) {
        if to.starts_with(':') {
            return;
        }
        let Some((to, _)) = split_name(to.trim_start_matches('\\')) else {
            return;
        };
        self.parents(&open.share, &to);
        let old = fold(&open.path);
        let below = format!("{old}\\");
        let share = self.share(&open.share);
        let moved: Vec<String> = share
            .nodes
            .iter()
            .filter(|(k, n)| n.now == Presence::Here && (**k == old || k.starts_with(&below)))
            .map(|(k, _)| k.clone())
            .collect();
        for key in moved {
            if let Some(node) = share.nodes.get_mut(&key) {
                node.now = Presence::Gone;
            }
            let tail = key.get(old.len()..).unwrap_or("");
            let path = format!("{to}{tail}");
            let node = share.nodes.entry(fold(&path)).or_default();
            if node.path.is_empty() {
                node.path = path;
            }
            node.now = Presence::Here;
        }
        // Opens of what lies below keep their old names here; few clients have such.
        if let Some(open) = self.opens.get_mut(&id) {
            open.path = to;
        }
    }

    fn query_info(&mut self, open: &Open, r: &query_info::Request, output: &Bytes) {
        match InfoType::from_code(r.info_type) {
            Some(InfoType::File) => {
                if let Some(class) = FileInfoClass::from_code(r.file_info_class) {
                    self.file_info(open, class, output);
                }
            }
            Some(InfoType::FileSystem) => match FsInfoClass::from_code(r.file_info_class) {
                Some(FsInfoClass::Attribute) => {
                    let parsed = FileFsAttributeInformation::parse(output);
                    let name = parsed.ok().map(|i| i.file_system_name);
                    let share = self.share(&open.share);
                    share.file_system = share.file_system.take().or(name);
                }
                Some(FsInfoClass::Volume) => {
                    let parsed = FileFsVolumeInformation::parse(output);
                    let label = parsed.ok().map(|i| i.label);
                    let share = self.share(&open.share);
                    share.label = share.label.take().or(label);
                }
                _ => {}
            },
            Some(InfoType::Security) => {
                let Ok(descriptor) = SecurityDescriptor::parse(output) else {
                    return;
                };
                if let Some(initial) = self.initial(open)
                    && !initial.changed
                {
                    let known = initial
                        .security
                        .get_or_insert_with(SecurityDescriptor::default);
                    merge(known, descriptor);
                }
            }
            Some(InfoType::Quota) | None => {}
        }
    }

    fn file_info(&mut self, open: &Open, class: FileInfoClass, output: &Bytes) {
        let stream = open.stream.clone();
        let is_directory = open.directory;
        let Some(initial) = self.initial(open) else {
            return;
        };
        let basic = |initial: &mut Initial, b: &FileBasicInformation| {
            if !initial.changed {
                initial.attributes.get_or_insert(b.attributes);
                initial.times.get_or_insert([
                    b.creation_time,
                    b.last_access_time,
                    b.last_write_time,
                    b.change_time,
                ]);
            }
        };
        let size = |initial: &mut Initial, size: u64| {
            let s = initial.stream(&stream);
            if !s.changed && !is_directory {
                s.size.get_or_insert(size);
            }
        };
        match class {
            FileInfoClass::Basic => {
                if let Ok(b) = FileBasicInformation::parse(output) {
                    basic(initial, &b);
                }
            }
            FileInfoClass::Standard => {
                if let Ok(s) = FileStandardInformation::parse(output) {
                    size(initial, s.end_of_file);
                }
            }
            FileInfoClass::All => {
                if let Ok(all) = FileAllInformation::parse(output) {
                    basic(initial, &all.basic);
                    size(initial, all.standard.end_of_file);
                }
            }
            FileInfoClass::NetworkOpen => {
                if let Ok(n) = FileNetworkOpenInformation::parse(output) {
                    size(initial, n.end_of_file);
                }
            }
            FileInfoClass::Stream => {
                for s in FileStreamInformation::parse_list(output).unwrap_or_default() {
                    let name = s.name.strip_prefix(':').unwrap_or(&s.name);
                    let name = name.split(':').next().unwrap_or("");
                    if !(initial.changed || is_directory && name.is_empty()) {
                        initial.stream(name).size.get_or_insert(s.size);
                    }
                }
            }
            FileInfoClass::FullEa if !initial.changed && initial.eas.is_empty() => {
                initial.eas = FileFullEaInformation::parse_list(output).unwrap_or_default();
            }
            _ => {}
        }
    }

    fn listed(&mut self, open: &Open, class: DirClass, output: &Bytes) {
        let names_only = class == DirClass::Names;
        let posix = class == DirClass::Posix;
        for entry in parse_list(class, output).unwrap_or_default() {
            if entry.name == ".." || entry.name.contains(['\\', '/', ':', '\0']) {
                continue;
            }
            let path = match (entry.name.as_str(), open.path.as_str()) {
                (".", dir) => dir.to_owned(),
                (name, "") => name.to_owned(),
                (name, dir) => format!("{dir}\\{name}"),
            };
            let dot = entry.name == ".";
            let Some(initial) = self.present(&open.share, &path) else {
                continue;
            };
            if !dot {
                initial.listed = true;
            }
            if names_only || posix {
                continue;
            }
            let directory = entry.attributes.contains(FileAttributes::DIRECTORY);
            initial.directory = Some(directory);
            if !initial.changed {
                initial.attributes.get_or_insert(entry.attributes);
                initial.times.get_or_insert([
                    entry.creation_time,
                    entry.last_access_time,
                    entry.last_write_time,
                    entry.change_time,
                ]);
            }
            if !directory {
                let s = initial.stream("");
                if !s.changed {
                    s.size.get_or_insert(entry.end_of_file);
                }
            }
            let listed = path.clone();
            self.node(&open.share, &path).path = listed;
        }
    }
}

impl Initial {
    fn stream(&mut self, name: &str) -> &mut Stream {
        let stream = self.streams.entry(fold(name)).or_default();
        if stream.name.is_empty() {
            name.clone_into(&mut stream.name);
        }
        stream
    }
}
