//! Extended attributes of SMB: `user.NAME` on the host, without the names that have another use.

use bytes::Bytes;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use smb_engine::identity::Identity;
use smb_engine::vfs::{Ea, VfsError, VfsReply, VfsResult};

use super::LocalFs;
use super::error::os;
use super::handle::{Node, Open};
use super::xattr::{
    BIG_STREAM_PREFIX, DOSATTRIB, Holder, NTACL_USER, OBJECT_ID, REPARSE, STREAM_PREFIX, USER,
};

/// Attributes in the user's space that are not EAs: ours, and those of Samba.
const RESERVED: [&str; 6] = [
    DOSATTRIB,
    NTACL_USER,
    OBJECT_ID,
    REPARSE,
    "user.SAMBA_PAI",
    "user.SAMBA_STREAMS",
];
/// FILE_NEED_EA of [MS-FSCC] 2.4.16 cannot be stored; this is what is read.
const NO_FLAGS: u8 = 0;
/// XATTR_NAME_MAX without `user.`; the wire allows 255.
const MAX_NAME: usize = 250;
/// XATTR_SIZE_MAX; the length on the wire has 16 bits.
const MAX_VALUE: usize = 65_535;

fn is_reserved(attribute: &str) -> bool {
    let starts = |prefix: &str| {
        attribute
            .get(..prefix.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    RESERVED.iter().any(|r| attribute.eq_ignore_ascii_case(r))
        || starts(STREAM_PREFIX)
        || starts(BIG_STREAM_PREFIX)
}

/// The EA that an attribute holds.
fn ea_of(attribute: &str) -> Option<&str> {
    attribute
        .strip_prefix(USER)
        .filter(|name| !name.is_empty() && name.is_ascii() && !is_reserved(attribute))
}

/// EaSize of the EAs among `names`, [MS-FSCC] 2.4.13: 4, and for each 4 plus name with terminator
/// plus value.
pub(super) fn size_of(holder: &Holder<'_>, names: &[String]) -> Result<u32, Errno> {
    let mut total = 0_usize;
    for attribute in names {
        let Some(name) = ea_of(attribute) else {
            continue;
        };
        if let Some(len) = holder.size(attribute)?.filter(|&len| len > 0) {
            total = total.saturating_add(name.len()).saturating_add(len + 5);
        }
    }
    if total > 0 {
        total = total.saturating_add(4);
    }
    Ok(u32::try_from(total).unwrap_or(u32::MAX))
}

impl LocalFs {
    pub(super) fn eas(&self, open: &Open) -> VfsResult {
        self.read_eas(&open.node).map(VfsReply::Eas)
    }

    fn read_eas(&self, node: &Node) -> Result<Vec<Ea>, VfsError> {
        if !self.xattrs {
            return Ok(Vec::new());
        }
        let holder = node.holder();
        let mut names = holder.list().map_err(os)?;
        names.sort_unstable();
        let mut out = Vec::new();
        for attribute in names {
            let Some(name) = ea_of(&attribute) else {
                continue;
            };
            match holder.get(&attribute).map_err(os)? {
                // An EA without value does not exist, [MS-FSCC] 2.4.16.
                Some(value) if !value.is_empty() => out.push(Ea {
                    flags: NO_FLAGS,
                    name: name.to_owned(),
                    value: Bytes::from(value),
                }),
                _ => {}
            }
        }
        Ok(out)
    }

    pub(super) fn set_eas(&self, by: &Identity, open: &Open, eas: &[Ea]) -> VfsResult {
        let acting = self.own.act_as(by)?;
        let _one = self.node_lock(open.id);
        acting.or_as_server(|| self.write_eas(&open.node, eas))?;
        Ok(VfsReply::Done)
    }

    /// Sets or removes EAs; on a failure what was done is undone.
    pub(super) fn write_eas(&self, node: &Node, eas: &[Ea]) -> Result<(), VfsError> {
        if eas.is_empty() {
            return Ok(());
        }
        if !self.xattrs {
            return Err(VfsError::NotSupported);
        }
        let holder = node.holder();
        let mut present = holder.list().map_err(os)?;
        let mut undo: Vec<(String, Option<Vec<u8>>)> = Vec::new();
        for ea in eas {
            let done = write_one(&holder, ea, &mut present, &mut undo);
            let Err(e) = done else {
                continue;
            };
            for (attribute, old) in undo.into_iter().rev() {
                match old {
                    Some(value) => holder.set(&attribute, &value, XattrFlags::empty()),
                    None => holder.remove(&attribute).map(drop),
                }
                .map_err(os)?;
            }
            return Err(e);
        }
        Ok(())
    }

    /// Removes all EAs, as an overwrite of the file does.
    pub(super) fn remove_all_eas(&self, node: &Node) -> Result<(), VfsError> {
        if !self.xattrs {
            return Ok(());
        }
        let holder = node.holder();
        for attribute in holder.list().map_err(os)? {
            if ea_of(&attribute).is_some() {
                holder.remove(&attribute).map_err(os)?;
            }
        }
        Ok(())
    }
}

fn write_one(
    holder: &Holder<'_>,
    ea: &Ea,
    present: &mut Vec<String>,
    undo: &mut Vec<(String, Option<Vec<u8>>)>,
) -> Result<(), VfsError> {
    let wanted = format!("{USER}{}", ea.name);
    if ea.name.is_empty() || !ea.name.is_ascii() || ea.name.contains('\0') {
        return Err(VfsError::InvalidName);
    }
    if is_reserved(&wanted) {
        return Err(VfsError::AccessDenied);
    }
    if ea.name.len() > MAX_NAME || ea.value.len() > MAX_VALUE {
        return Err(VfsError::EasTooLarge);
    }
    let stored = present
        .iter()
        .find(|name| name.eq_ignore_ascii_case(&wanted))
        .cloned();
    let attribute = stored.clone().unwrap_or(wanted);
    let old = match &stored {
        Some(_) => holder.get(&attribute).map_err(os)?,
        None => None,
    };
    if ea.value.is_empty() {
        if stored.is_some() {
            holder.remove(&attribute).map_err(os)?;
            present.retain(|name| *name != attribute);
            undo.push((attribute, old));
        }
        return Ok(());
    }
    holder
        .set(&attribute, &ea.value, XattrFlags::empty())
        .map_err(|e| match e {
            // What ext4 says if they do not fit into their block.
            Errno::NOSPC | Errno::TOOBIG | Errno::RANGE => VfsError::EasTooLarge,
            e => os(e),
        })?;
    if stored.is_none() {
        present.push(attribute.clone());
    }
    undo.push((attribute, old));
    Ok(())
}
