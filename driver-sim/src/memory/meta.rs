//! Times, attributes, extended attributes, security descriptors, streams, reparse data.

use std::collections::BTreeMap;

use smb_engine::names::fold;
use smb_engine::vfs::{
    BasicChange, Ea, Quota, QuotaLimits, Reparse, StreamInfo, VfsError, VfsHandle, VfsReply,
    VfsResult, sacl_with,
};
use smb_proto::dtyp::{Guid, SdControl, SecurityDescriptor, Sid};
use smb_proto::fsctl::FileObjectId;
use smb_proto::info::SecurityInformation;

use super::node::SETTABLE;
use super::{EAS_MAX, State};

/// Longest name of an extended attribute, in bytes.
const EA_NAME_MAX: usize = 254;

/// `old` with `changes` made: values set, empty values removed.
pub(super) fn merged(
    old: &BTreeMap<String, Ea>,
    changes: &[Ea],
) -> Result<BTreeMap<String, Ea>, VfsError> {
    let mut eas = old.clone();
    for ea in changes {
        if ea.name.is_empty() || ea.name.len() > EA_NAME_MAX || !ea.name.is_ascii() {
            return Err(VfsError::InvalidName);
        }
        let key = fold(&ea.name);
        if ea.value.is_empty() {
            eas.remove(&key);
        } else {
            // One that exists keeps the case of its name.
            let name = eas.get(&key).map_or(&ea.name, |old| &old.name).clone();
            eas.insert(key, Ea { name, ..ea.clone() });
        }
    }
    let size: usize = eas.values().map(|e| 5 + e.name.len() + e.value.len()).sum();
    if size + 4 > EAS_MAX {
        return Err(VfsError::EasTooLarge);
    }
    Ok(eas)
}

impl State {
    pub(super) fn set_basic(&mut self, handle: VfsHandle, change: BasicChange) -> VfsResult {
        let now = self.now;
        let node = self.node_of_mut(handle)?;
        if change == BasicChange::default() {
            return Ok(VfsReply::Done);
        }
        node.creation = change.creation.unwrap_or(node.creation);
        node.access = change.access.unwrap_or(node.access);
        node.write = change.write.unwrap_or(node.write);
        node.change = change.change.unwrap_or(now);
        if let Some(attributes) = change.attributes {
            node.attributes = (node.attributes - SETTABLE) | (attributes & SETTABLE);
        }
        Ok(VfsReply::Done)
    }

    pub(super) fn stream_list(&self, handle: VfsHandle) -> VfsResult {
        let node = self.node_of(handle)?;
        // The empty key sorts first.
        let streams = node.streams.values().filter_map(|s| self.streams.get(s));
        let streams = streams.map(|s| StreamInfo {
            name: s.name.clone(),
            size: s.content.size(),
            allocation: s.content.allocation(node.is_sparse()),
        });
        Ok(VfsReply::Streams(streams.collect()))
    }

    pub(super) fn eas(&self, handle: VfsHandle) -> VfsResult {
        let eas = self.node_of(handle)?.eas.values().cloned();
        Ok(VfsReply::Eas(eas.collect()))
    }

    pub(super) fn set_eas(&mut self, handle: VfsHandle, eas: Vec<Ea>) -> VfsResult {
        let now = self.now;
        let node = self.node_of_mut(handle)?;
        node.eas = merged(&node.eas, &eas)?;
        node.change = now;
        Ok(VfsReply::Done)
    }

    pub(super) fn security(&self, handle: VfsHandle) -> VfsResult {
        Ok(VfsReply::Security(self.node_of(handle)?.security.clone()))
    }

    pub(super) fn set_security(
        &mut self,
        handle: VfsHandle,
        parts: SecurityInformation,
        new: SecurityDescriptor,
    ) -> VfsResult {
        use SecurityInformation as P;
        const DACL: SdControl = SdControl::DACL_DEFAULTED
            .union(SdControl::DACL_AUTO_INHERITED)
            .union(SdControl::DACL_PROTECTED);
        const SACL: SdControl = SdControl::SACL_DEFAULTED
            .union(SdControl::SACL_AUTO_INHERITED)
            .union(SdControl::SACL_PROTECTED);
        const SACL_PARTS: P = P::SACL.union(P::LABEL).union(P::ATTRIBUTE).union(P::SCOPE);
        let now = self.now;
        let node = self.node_of_mut(handle)?;
        let sd = &mut node.security;
        if parts.contains(P::OWNER) {
            sd.owner = new.owner;
        }
        if parts.contains(P::GROUP) {
            sd.group = new.group;
        }
        if parts.contains(P::DACL) {
            sd.dacl = new.dacl;
            sd.control = (sd.control - DACL) | (new.control & DACL);
        }
        if parts.intersects(SACL_PARTS) {
            sd.sacl = sacl_with(&sd.sacl, &new.sacl, parts);
        }
        if parts.contains(P::SACL) {
            sd.control = (sd.control - SACL) | (new.control & SACL);
        }
        node.change = now;
        Ok(VfsReply::Done)
    }

    pub(super) fn object_id(&self, handle: VfsHandle) -> VfsResult {
        Ok(VfsReply::ObjectId(self.node_of(handle)?.object_id))
    }

    pub(super) fn set_object_id(
        &mut self,
        handle: VfsHandle,
        id: Option<FileObjectId>,
        replace: bool,
    ) -> VfsResult {
        let now = self.now;
        let node = self.node_of_mut(handle)?;
        if node.object_id.is_some() && id.is_some() && !replace {
            return Err(VfsError::Exists);
        }
        if node.object_id.is_some() || id.is_some() {
            node.object_id = id;
            node.change = now;
        }
        Ok(VfsReply::Done)
    }

    pub(super) fn quotas(&self, of: &[Sid]) -> Vec<Quota> {
        let entry = |sid: &Sid| {
            let (change, limits) = *self.quotas.get(sid)?;
            let mine = self.nodes.values();
            let mine = mine.filter(|n| n.security.owner == Some(*sid));
            let streams = mine.flat_map(|n| n.streams.values().map(|s| (n.is_sparse(), s)));
            let used = streams
                .filter_map(|(sparse, s)| Some(self.streams.get(s)?.content.allocation(sparse)));
            Some(Quota {
                sid: *sid,
                change,
                used: used.sum(),
                limits,
            })
        };
        of.iter().filter_map(entry).collect()
    }

    pub(super) fn set_quota(&mut self, sid: Sid, limits: Option<QuotaLimits>) -> VfsResult {
        match limits {
            Some(limits) => {
                self.quotas.insert(sid, (self.now, limits));
            }
            None => {
                self.quotas.remove(&sid).ok_or(VfsError::NotFound)?;
            }
        }
        Ok(VfsReply::Done)
    }

    pub(super) fn reparse(&self, handle: VfsHandle) -> VfsResult {
        let reparse = self.node_of(handle)?.reparse.clone();
        reparse
            .map(VfsReply::Reparse)
            .ok_or(VfsError::NotAReparsePoint)
    }

    pub(super) fn set_reparse(&mut self, handle: VfsHandle, reparse: Reparse) -> VfsResult {
        let now = self.now;
        let node = self.node_of_mut(handle)?;
        if node.entries.as_ref().is_some_and(|e| !e.is_empty()) {
            return Err(VfsError::NotEmpty);
        }
        if let Some(present) = &node.reparse {
            present.check_owner(reparse.tag, reparse.guid())?;
        }
        node.reparse = Some(reparse);
        node.change = now;
        Ok(VfsReply::Done)
    }

    pub(super) fn delete_reparse(
        &mut self,
        handle: VfsHandle,
        tag: u32,
        guid: Option<Guid>,
    ) -> VfsResult {
        let now = self.now;
        let node = self.node_of_mut(handle)?;
        let present = node.reparse.as_ref().ok_or(VfsError::NotAReparsePoint)?;
        present.check_owner(tag, guid)?;
        node.reparse = None;
        node.change = now;
        Ok(VfsReply::Done)
    }
}
