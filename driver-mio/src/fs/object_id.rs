//! Object ids, [MS-FSCC] 2.1.3, in an extended attribute.
//!
//! What the host copies together with its attributes has the object id of the original. Nobody finds
//! files by their object ids here, so that is left as it is.

use rustix::fs::{FileType, XattrFlags};
use rustix::io::Errno;
use smb_engine::identity::Identity;
use smb_engine::vfs::{VfsError, VfsReply, VfsResult};
use smb_proto::fsctl::FileObjectId;
use smb_proto::wire::Writer;

use super::LocalFs;
use super::error::os;
use super::handle::Open;
use super::xattr::OBJECT_ID;

impl LocalFs {
    pub(super) fn object_id(&self, open: &Open) -> VfsResult {
        // Links, devices and the like cannot have attributes in the user's space.
        if !self.xattrs || !has_room(open.kind) {
            return Ok(VfsReply::ObjectId(None));
        }
        let value = open.node.holder().get(OBJECT_ID).map_err(os)?;
        // A value that was written by something else is none.
        let id = value.and_then(|v| FileObjectId::parse(&v).ok().filter(|_| v.len() == 64));
        Ok(VfsReply::ObjectId(id))
    }

    pub(super) fn set_object_id(
        &self,
        by: &Identity,
        open: &Open,
        id: Option<FileObjectId>,
        replace: bool,
    ) -> VfsResult {
        if !self.xattrs || !has_room(open.kind) {
            return Err(VfsError::NotSupported);
        }
        let acting = self.own.act_as(by)?;
        let holder = open.node.holder();
        let Some(id) = id else {
            acting.or_as_server(|| holder.remove(OBJECT_ID).map_err(os))?;
            return Ok(VfsReply::Done);
        };
        let mut w = Writer::new();
        id.encode(&mut w);
        let flags = if replace {
            XattrFlags::empty()
        } else {
            XattrFlags::CREATE
        };
        acting.or_as_server(|| {
            holder
                .set(OBJECT_ID, w.written(), flags)
                .map_err(|e| match e {
                    // Too many attributes, or too large ones.
                    Errno::TOOBIG | Errno::RANGE => VfsError::NoSpace,
                    e => os(e),
                })
        })?;
        Ok(VfsReply::Done)
    }
}

fn has_room(kind: FileType) -> bool {
    matches!(kind, FileType::RegularFile | FileType::Directory)
}
