//! A client that knows the canary when it sees it.

use std::net::SocketAddr;

use bytes::Bytes;
use driver_sim::client::{ClientConfig, Credentials, Reply, Target, ops};
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{FsctlCode, SrvCopychunk, SrvCopychunkCopy, SrvResumeKeyResponse};
use smb_proto::id::FileId;
use smb_proto::info::FileInfoClass;
use smb_proto::info::dir::{DirClass, parse_list};
use smb_proto::info::file::{
    FileDispositionInformation, FileLinkInformation, FileRenameInformation,
};
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions};
use smb_proto::msg::{Request, Response};
use smb_proto::wire::Writer;

use crate::wire::Wire;

/// What the files outside begin with.
pub(crate) const CANARY: &[u8] = b"CANARY";
/// A name that exists outside only.
pub(crate) const CANARY_NAME: &str = "canary-name";
/// Size of the files outside; no other file has it.
pub(crate) const CANARY_LEN: u64 = 4243;

pub(crate) struct Client {
    wire: Wire,
    target: Target,
    /// The canary was seen.
    pub(crate) failed: bool,
}

pub(crate) fn bytes(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

impl Client {
    pub(crate) fn mount(address: SocketAddr, share: &str, user: (&str, &str)) -> Self {
        let credentials = Credentials::new(user.0, user.1);
        let config = ClientConfig::default();
        let (wire, target) = Wire::mount_as(address, config, credentials, share);
        Self {
            wire,
            target,
            failed: false,
        }
    }

    pub(crate) fn call(&mut self, request: impl Into<Request>) -> Reply {
        let id = self.wire.client.send(self.target, request);
        self.wire.reply(id)
    }

    pub(crate) fn status(&mut self, request: impl Into<Request>) -> NtStatus {
        self.call(request).status()
    }

    /// Whether `share` can be connected to.
    pub(crate) fn tree(&mut self, share: &str) -> NtStatus {
        let of_session = Target::session(self.target.session);
        let request = ops::tree_connect(&format!("\\\\127.0.0.1\\{share}"));
        let id = self.wire.client.send(of_session, request);
        self.wire.reply(id).status()
    }

    pub(crate) fn fail(&mut self, what: &str) {
        println!("FAIL {what}");
        self.failed = true;
    }

    pub(crate) fn create(&mut self, request: create::Request) -> Result<FileId, NtStatus> {
        let reply = self.call(request);
        match reply.body {
            Response::Create(r) => Ok(r.file_id),
            _ => Err(reply.header.status),
        }
    }

    pub(crate) fn open(&mut self, name: &str, disposition: CreateDisposition) -> Option<FileId> {
        self.create(ops::create(name, disposition)).ok()
    }

    pub(crate) fn close(&mut self, file: FileId) {
        self.status(ops::close(file));
    }

    /// Reads from the start of a file; the canary is told under `what`.
    pub(crate) fn read(&mut self, file: FileId, what: &str) -> Option<Bytes> {
        let Response::Read(read) = self.call(ops::read(file, 0, 8192)).body else {
            return None;
        };
        if read.data.windows(CANARY.len()).any(|w| w == CANARY) {
            self.fail(&format!("{what}: the canary was read"));
        }
        Some(read.data)
    }

    /// Lists a directory by a pattern; what only the outside has is told under `what`.
    pub(crate) fn list(&mut self, dir: FileId, pattern: &str, what: &str) -> usize {
        let class = FileInfoClass::IdBothDirectory;
        let reply = self.call(ops::query_directory(dir, class, pattern, 65536));
        let Response::QueryDirectory(listed) = reply.body else {
            return 0;
        };
        let entries = parse_list(DirClass::IdBothDirectory, &listed.output).unwrap_or_default();
        for entry in &entries {
            let outside = entry.end_of_file == CANARY_LEN;
            if outside || entry.name.eq_ignore_ascii_case(CANARY_NAME) {
                self.fail(&format!("{what}: {} of outside was listed", entry.name));
            }
        }
        entries.len()
    }

    pub(crate) fn rename(&mut self, file: FileId, to: &str) -> NtStatus {
        let info = FileRenameInformation {
            replace_if_exists: true,
            root_directory: 0,
            file_name: to.to_owned(),
        };
        let info = bytes(|w| info.encode(w));
        self.status(ops::set_file(file, FileInfoClass::Rename, info))
    }

    pub(crate) fn link(&mut self, file: FileId, to: &str) -> NtStatus {
        let info = FileLinkInformation {
            replace_if_exists: true,
            root_directory: 0,
            file_name: to.to_owned(),
        };
        let info = bytes(|w| info.encode(w));
        self.status(ops::set_file(file, FileInfoClass::Link, info))
    }

    /// Marks an open to be deleted with its close, and closes it.
    pub(crate) fn delete(&mut self, file: FileId) {
        let info = FileDispositionInformation {
            delete_pending: true,
        };
        let info = bytes(|w| info.encode(w));
        self.status(ops::set_file(file, FileInfoClass::Disposition, info));
        self.close(file);
    }

    /// Removes a name of the share, if it is there: the link itself if it is one.
    pub(crate) fn remove(&mut self, name: &str) {
        let request = create::Request {
            desired_access: AccessMask::DELETE,
            create_options: CreateOptions::DELETE_ON_CLOSE | CreateOptions::OPEN_REPARSE_POINT,
            ..ops::open(name)
        };
        if let Ok(file) = self.create(request) {
            self.close(file);
        }
    }

    /// Copies on the server, and looks at the copy.
    pub(crate) fn copy(&mut self, from: FileId, to: &str, what: &str) -> bool {
        let code = FsctlCode::SRV_REQUEST_RESUME_KEY;
        let Response::Ioctl(r) = self.call(ops::fsctl(from, code, Bytes::new(), 32)).body else {
            return false;
        };
        let Ok(key) = SrvResumeKeyResponse::parse(&r.output) else {
            return false;
        };
        let Some(copy) = self.open(to, CreateDisposition::OverwriteIf) else {
            return false;
        };
        let chunks = SrvCopychunkCopy {
            source_key: key.resume_key,
            chunks: vec![SrvCopychunk {
                source_offset: 0,
                target_offset: 0,
                length: 6,
            }],
        };
        let input = bytes(|w| chunks.encode(w));
        let status = self.status(ops::fsctl(copy, FsctlCode::SRV_COPYCHUNK, input, 12));
        self.read(copy, what);
        self.delete(copy);
        status == NtStatus::SUCCESS
    }
}
