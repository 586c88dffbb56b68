//! Requests that wait for their answer.

use bytes::Bytes;
use smb_engine::output::CloseReason;
use smb_proto::id::{FileId, MessageId, SessionId};
use smb_proto::info::dir::{DirClass, DirEntry, parse_list};
use smb_proto::info::{FileInfoClass, FsInfoClass};
use smb_proto::msg::create::{self, CreateDisposition};
use smb_proto::msg::{Response, close, lock, query_info};
use smb_proto::{NtStatus, msg};

use super::{End, Pair};
use crate::client::{
    ClientConfig, ClientEvent, Credentials, LogonFor, LogonId, Part, Reply, Target, ops,
};

/// A tree connect of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    /// The client.
    pub end: End,
    /// Session and tree connect.
    pub target: Target,
}

/// What a request came to.
pub type Answer<T> = Result<T, NtStatus>;

macro_rules! expect {
    ($reply:expr, $variant:ident) => {{
        let reply = $reply;
        match reply.body {
            Response::$variant(body) => Ok(body),
            Response::Error(_) => Err(reply.header.status),
            other => panic!("answer is {other:?}"),
        }
    }};
}

impl Pair {
    /// A client with the default configuration (and a seed of its own), connected and negotiated.
    pub fn connect(&mut self) -> End {
        let seed = self.ends.len() as u64;
        self.connect_as(ClientConfig::default().seed(seed))
    }

    /// A client, connected and negotiated.
    ///
    /// # Panics
    /// The negotiation failed.
    pub fn connect_as(&mut self, config: ClientConfig) -> End {
        let end = self.accept(config);
        self.client(end).negotiate();
        self.run();
        assert!(
            self.ends[end.0].client.negotiated().is_some(),
            "negotiation failed: {}",
            self.describe(end)
        );
        end
    }

    /// Logs on; the answer's session, or why not.
    ///
    /// # Errors
    /// The status that the logon was refused with.
    pub fn logon(&mut self, end: End, credentials: Credentials) -> Answer<SessionId> {
        self.logon_for(end, credentials, LogonFor::New)
    }

    /// Logs on again, or for a binding, or replacing a session.
    ///
    /// # Errors
    /// The status that the logon was refused with.
    pub fn logon_for(
        &mut self,
        end: End,
        credentials: Credentials,
        purpose: LogonFor,
    ) -> Answer<SessionId> {
        let id = self.client(end).logon(credentials, purpose);
        self.run();
        self.logon_outcome(end, id)
    }

    /// The outcome of a logon that was begun with [`crate::client::Client::logon`].
    ///
    /// # Errors
    /// The status that the logon was refused with.
    ///
    /// # Panics
    /// It has none yet.
    pub fn logon_outcome(&mut self, end: End, id: LogonId) -> Answer<SessionId> {
        let outcome = self.ends[end.0].events.iter().find_map(|e| match e {
            ClientEvent::LoggedOn { logon, session, .. } if *logon == id => Some(Ok(*session)),
            ClientEvent::LogonFailed { logon, status } if *logon == id => Some(Err(*status)),
            _ => None,
        });
        match outcome {
            Some(outcome) => outcome,
            None => panic!("logon has no outcome: {}", self.describe(end)),
        }
    }

    /// Connects to a share.
    ///
    /// # Errors
    /// The answer's status.
    pub fn tree(&mut self, end: End, session: SessionId, share: &str) -> Answer<Tree> {
        let request = ops::tree_connect(&format!("\\\\SIM\\{share}"));
        let reply = self.call_end(end, Target::session(session), request);
        let tree = reply.header.tree_id();
        expect!(reply, TreeConnect)?;
        Ok(Tree {
            end,
            target: Target { session, tree },
        })
    }

    /// A new client, logged on as `user` and connected to the share `files`.
    pub fn mount(&mut self) -> Tree {
        let end = self.connect();
        self.mount_on(end)
    }

    /// Logs a client on as `user` and connects to the share `files`.
    ///
    /// # Panics
    /// One of the two is refused.
    pub fn mount_on(&mut self, end: End) -> Tree {
        let session = self.logon(end, Credentials::new("user", "secret"));
        let tree = session.and_then(|session| self.tree(end, session, "files"));
        match tree {
            Ok(tree) => tree,
            Err(status) => panic!("mount refused with {status}: {}", self.describe(end)),
        }
    }

    /// Sends a request without waiting for the final answer.
    pub fn start(&mut self, tree: Tree, request: impl Into<msg::Request>) -> MessageId {
        let id = self.client(tree.end).send(tree.target, request);
        self.run();
        id
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Panics
    /// None comes while time stands still.
    pub fn call(&mut self, tree: Tree, request: impl Into<msg::Request>) -> Reply {
        self.call_end(tree.end, tree.target, request)
    }

    /// As [`Self::call`], for requests that are about no tree connect.
    ///
    /// # Panics
    /// None comes while time stands still.
    pub fn call_end(
        &mut self,
        end: End,
        target: Target,
        request: impl Into<msg::Request>,
    ) -> Reply {
        self.call_part(end, Part::new(target, request))
    }

    /// As [`Self::call`], for a part of one's own making.
    ///
    /// # Panics
    /// No answer comes while time stands still.
    pub fn call_part(&mut self, end: End, part: Part) -> Reply {
        let id = self.client(end).send_part(part);
        self.run();
        self.wait(end, id)
    }

    /// Sends a compound and waits for all answers.
    ///
    /// # Panics
    /// One does not come while time stands still.
    pub fn call_compound(&mut self, end: End, parts: Vec<Part>) -> Vec<Reply> {
        let ids = self.client(end).send_compound(parts);
        self.run();
        ids.into_iter().map(|id| self.wait(end, id)).collect()
    }

    /// Takes an answer that must have come.
    ///
    /// # Panics
    /// It has not.
    pub fn wait(&mut self, end: End, id: MessageId) -> Reply {
        match self.reply(end, id) {
            Some(reply) => reply,
            None => panic!("no answer to message {id}: {}", self.describe(end)),
        }
    }

    fn describe(&self, end: End) -> String {
        let e = &self.ends[end.0];
        let events: Vec<_> = e
            .events
            .iter()
            .filter(|e| !matches!(e, ClientEvent::Negotiated(_)))
            .collect();
        format!(
            "closed {:?}, fault {:?}, {} in flight, {} waiting for credits, {} operations held, events {events:?}",
            e.closed,
            e.fault,
            e.client.in_flight(),
            e.client.waiting(),
            self.held.len(),
        )
    }

    /// Asserts that the server closed the connection because of a fault.
    ///
    /// # Panics
    /// It did not.
    pub fn assert_faulted(&self, end: End) {
        assert!(
            matches!(self.close_reason(end), Some(CloseReason::Fault(_))),
            "not closed by a fault: {}",
            self.describe(end)
        );
    }

    /// CREATE.
    ///
    /// # Errors
    /// The answer's status.
    pub fn create(&mut self, tree: Tree, request: create::Request) -> Answer<create::Response> {
        expect!(self.call(tree, request), Create)
    }

    /// Opens a file that exists, with all access.
    ///
    /// # Errors
    /// The answer's status.
    pub fn open(&mut self, tree: Tree, name: &str) -> Answer<FileId> {
        self.create(tree, ops::open(name)).map(|r| r.file_id)
    }

    /// Creates a file that does not exist, with all access.
    ///
    /// # Errors
    /// The answer's status.
    pub fn create_new(&mut self, tree: Tree, name: &str) -> Answer<FileId> {
        self.create(tree, ops::create(name, CreateDisposition::Create))
            .map(|r| r.file_id)
    }

    /// CLOSE.
    ///
    /// # Errors
    /// The answer's status.
    pub fn close(&mut self, tree: Tree, file: FileId) -> Answer<close::Response> {
        expect!(self.call(tree, ops::close(file)), Close)
    }

    /// READ.
    ///
    /// # Errors
    /// The answer's status.
    pub fn read(&mut self, tree: Tree, file: FileId, offset: u64, length: u32) -> Answer<Bytes> {
        expect!(self.call(tree, ops::read(file, offset, length)), Read).map(|r| r.data)
    }

    /// WRITE; how many bytes were written.
    ///
    /// # Errors
    /// The answer's status.
    pub fn write(
        &mut self,
        tree: Tree,
        file: FileId,
        offset: u64,
        data: impl Into<Bytes>,
    ) -> Answer<u32> {
        expect!(self.call(tree, ops::write(file, offset, data)), Write).map(|r| r.count)
    }

    /// FLUSH.
    ///
    /// # Errors
    /// The answer's status.
    pub fn flush(&mut self, tree: Tree, file: FileId) -> Answer<()> {
        expect!(self.call(tree, ops::flush(file)), Flush).map(|_| ())
    }

    /// LOCK.
    ///
    /// # Errors
    /// The answer's status.
    pub fn lock(&mut self, tree: Tree, request: lock::Request) -> Answer<()> {
        expect!(self.call(tree, request), Lock).map(|_| ())
    }

    /// Any QUERY_INFO: status and output buffer, which a warning has as well.
    pub fn query(&mut self, tree: Tree, request: query_info::Request) -> (NtStatus, Bytes) {
        let reply = self.call(tree, request);
        let output = match &reply.body {
            Response::QueryInfo(r) => r.output.clone(),
            _ => Bytes::new(),
        };
        (reply.status(), output)
    }

    /// QUERY_INFO about a file: the output buffer.
    ///
    /// # Errors
    /// The answer's status.
    pub fn query_file(&mut self, tree: Tree, file: FileId, class: FileInfoClass) -> Answer<Bytes> {
        expect!(self.call(tree, ops::query_file(file, class)), QueryInfo).map(|r| r.output)
    }

    /// QUERY_INFO about the file system: the output buffer.
    ///
    /// # Errors
    /// The answer's status.
    pub fn query_fs(&mut self, tree: Tree, file: FileId, class: FsInfoClass) -> Answer<Bytes> {
        expect!(self.call(tree, ops::query_fs(file, class)), QueryInfo).map(|r| r.output)
    }

    /// SET_INFO on a file.
    ///
    /// # Errors
    /// The answer's status.
    pub fn set_file(
        &mut self,
        tree: Tree,
        file: FileId,
        class: FileInfoClass,
        buffer: impl Into<Bytes>,
    ) -> Answer<()> {
        expect!(self.call(tree, ops::set_file(file, class, buffer)), SetInfo).map(|_| ())
    }

    /// All entries of an open directory that match, in the order of the server.
    ///
    /// # Errors
    /// The status of an answer other than STATUS_NO_MORE_FILES.
    ///
    /// # Panics
    /// The listing does not parse.
    pub fn list(&mut self, tree: Tree, dir: FileId, pattern: &str) -> Answer<Vec<DirEntry>> {
        const CLASS: DirClass = DirClass::IdBothDirectory;
        let mut all = Vec::new();
        loop {
            let request = ops::query_directory(dir, CLASS.info_class(), pattern, 65536);
            let answer = expect!(self.call(tree, request), QueryDirectory);
            match answer {
                Ok(response) => match parse_list(CLASS, &response.output) {
                    Ok(entries) => all.extend(entries),
                    Err(e) => panic!("listing does not parse: {e}"),
                },
                Err(NtStatus::NO_MORE_FILES) => return Ok(all),
                Err(status) => return Err(status),
            }
        }
    }
}
