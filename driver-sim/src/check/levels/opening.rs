//! What a CREATE may be granted, and which durable opens may be taken up again.

use std::time::Duration;

use smb_engine::output::ConnId;
use smb_engine::time::Instant;
use smb_proto::create_ctx::{
    DiskIdResponse, DurableResponse, DurableResponseV2, Lease, LeaseState,
};
use smb_proto::id::FileId;
use smb_proto::info::FileAttributes;
use smb_proto::msg::OplockLevel;
use smb_proto::msg::create::{CreateAction, Response};

use super::asked::Create;
use super::model::{Deed, Durable, FileKey, Holder, HolderKey, Life, Open};
use super::{Levels, Sent};

/// How long durable opens of version 1 wait at most; they are not told.
const VERSION_1_FOR: Duration = Duration::from_secs(16 * 60);

/// What an oplock allows to cache.
pub(super) fn of_oplock(level: OplockLevel) -> LeaseState {
    match level {
        OplockLevel::LEVEL_II => LeaseState::READ,
        OplockLevel::EXCLUSIVE => LeaseState::READ | LeaseState::WRITE,
        OplockLevel::BATCH => LeaseState::READ | LeaseState::WRITE | LeaseState::HANDLE,
        _ => LeaseState::empty(),
    }
}

/// The data of a context of the answer.
fn context<'a>(r: &'a Response, name: &[u8]) -> Option<&'a [u8]> {
    let named = r.contexts.iter().find(|c| c.name.as_ref() == name);
    named.map(|c| c.data.as_ref())
}

fn file_of(asked: &Create, r: &Response) -> Option<FileKey> {
    if r.file_attributes.contains(FileAttributes::DIRECTORY) && asked.stream.is_empty() {
        return None;
    }
    let id = DiskIdResponse::parse(context(r, DiskIdResponse::NAME)?).ok()?;
    Some(FileKey {
        volume: id.volume_id,
        file: id.disk_file_id,
        stream: asked.stream.clone(),
    })
}

fn durable_of(asked: &Create, r: &Response) -> Option<Durable> {
    if let Some(v2) = context(r, DurableResponseV2::NAME) {
        let v2 = DurableResponseV2::parse(v2).ok()?;
        return Some(Durable {
            guid: asked.durable_v2.as_ref().map(|d| d.create_guid),
            timeout: Duration::from_millis(u64::from(v2.timeout_ms)),
        });
    }
    context(r, DurableResponse::NAME).map(|_| Durable {
        guid: None,
        timeout: VERSION_1_FOR,
    })
}

impl Levels {
    pub(super) fn created(
        &mut self,
        now: Instant,
        conn: ConnId,
        sent: &Sent,
        asked: &Create,
        r: &Response,
    ) -> Result<(), String> {
        let v1 = asked.reconnect.as_ref().map(|c| (c.file_id, None));
        let v2 = asked.reconnect_v2.as_ref();
        let v2 = v2.map(|c| (c.file_id, Some(c.create_guid)));
        if let Some((id, guid)) = v1.or(v2) {
            return self.taken_up(now, conn, sent, id, guid, r);
        }
        if sent.replay && self.model.opens.contains_key(&r.file_id) {
            return Ok(());
        }
        let lease = context(r, Lease::NAME).and_then(|data| Lease::parse(data).ok());
        let file = file_of(asked, r);
        let (key, state) = match &lease {
            Some(lease) => {
                let asked = asked.lease.as_ref().filter(|a| a.key == lease.key);
                if asked.is_none() {
                    return Err(format!("{} was granted a lease unasked", r.file_id));
                }
                let guid = self.model.guids.get(&conn).copied().unwrap_or_default();
                (Some(HolderKey::Lease(guid, lease.key)), lease.state)
            }
            None if r.oplock_level == OplockLevel::NONE => (None, LeaseState::empty()),
            None => {
                if asked.level == OplockLevel::LEASE || r.oplock_level.0 > asked.level.0 {
                    return Err(format!(
                        "{} asked for {:?} and was granted {:?}",
                        r.file_id, asked.level, r.oplock_level
                    ));
                }
                let key = HolderKey::Oplock(r.file_id);
                (Some(key), of_oplock(r.oplock_level))
            }
        };
        if let Some(file) = &file {
            self.beside(now, sent, asked, r, file, key, state)?;
        }
        if let Some(key) = key {
            self.granted(now, sent, asked, key, state, lease.as_ref(), file.as_ref())?;
        }
        let open = Open {
            session: sent.session,
            tree: sent.tree,
            file,
            holder: key,
            works: asked.works,
            since: self.events,
            life: if sent.alone {
                Life::Here
            } else {
                Life::Leaving
            },
            durable: durable_of(asked, r),
            doomed: None,
        };
        self.model.opens.insert(r.file_id, open);
        Ok(())
    }

    /// Whether the others let this open be, and what it was granted.
    #[allow(clippy::too_many_arguments, reason = "all of one CREATE")]
    fn beside(
        &mut self,
        now: Instant,
        sent: &Sent,
        asked: &Create,
        r: &Response,
        file: &FileKey,
        me: Option<HolderKey>,
        state: LeaseState,
    ) -> Result<(), String> {
        let replaced = [CreateAction::OVERWRITTEN, CreateAction::SUPERSEDED];
        // Others may have come while the content was replaced, or before the rest of the message was
        // done, but nobody who could cache writes.
        let before = if sent.alone { self.events } else { sent.at };
        let replaced = replaced.contains(&r.create_action);
        if asked.works || replaced {
            self.model.done(Deed::Open, file, me, before, now)?;
        }
        if replaced {
            self.model.done(Deed::Replace, file, me, sent.at, now)?;
        }
        if asked.deletes {
            self.model.done(Deed::Name, file, me, sent.at, now)?;
        }
        let model = &self.model;
        if state.contains(LeaseState::WRITE) {
            let other = model.opens.iter().find(|(_, o)| {
                o.file.as_ref() == Some(file)
                    && o.works
                    && o.life == Life::Here
                    && (o.holder.is_none() || o.holder != me)
                    && o.since < before
            });
            if let Some((id, _)) = other {
                return Err(format!("{me:?} was granted {state:?} beside the open {id}"));
            }
        }
        let lease = matches!(me, Some(HolderKey::Lease(..)));
        for (key, holder) in model.others(file, me).filter(|(_, h)| h.since < before) {
            let held = holder.certain(now);
            if !model.is_firm(key) || held.is_empty() {
                continue;
            }
            let theirs = matches!(key, HolderKey::Lease(..));
            let wrong = (state.contains(LeaseState::WRITE) && model.works(key))
                || (held.contains(LeaseState::WRITE) && !state.is_empty())
                || (theirs && !lease && !state.is_empty() && held.contains(LeaseState::HANDLE))
                || (lease && !theirs && state.contains(LeaseState::HANDLE));
            if wrong {
                return Err(format!(
                    "{me:?} was granted {state:?} beside {key:?}, which holds {held:?}"
                ));
            }
        }
        Ok(())
    }

    /// Enters what was granted.
    #[allow(clippy::too_many_arguments, reason = "all of one CREATE")]
    fn granted(
        &mut self,
        now: Instant,
        sent: &Sent,
        asked: &Create,
        key: HolderKey,
        state: LeaseState,
        lease: Option<&Lease>,
        file: Option<&FileKey>,
    ) -> Result<(), String> {
        let wanted = match &asked.lease {
            Some(lease) => lease.state,
            None => of_oplock(asked.level),
        };
        let epoch = lease.and_then(|l| l.v2.as_ref()).map(|v2| v2.epoch);
        let firm = self.model.is_firm(key);
        let old = self.model.holders.get(&key).filter(|_| firm).cloned();
        let Some(old) = old else {
            let known = self.model.holders.contains_key(&key);
            if !known && !wanted.contains(state) {
                return Err(format!("{key:?} asked for {wanted:?} and has {state:?}"));
            }
            let counted = asked.lease.as_ref().and_then(|l| l.v2.as_ref());
            if let (Some(v2), Some(epoch), false) = (counted, epoch, known)
                && epoch != v2.epoch.wrapping_add(u16::from(!state.is_empty()))
                && sent.alone
            {
                return Err(format!(
                    "{key:?} came with the epoch {}, and begins with {epoch}",
                    v2.epoch
                ));
            }
            let holder = Holder {
                file: file.cloned(),
                state,
                told: None,
                epoch,
                since: self.events,
                acked: None,
                sure: sent.alone && !known,
            };
            self.model.holders.insert(key, holder);
            return Ok(());
        };
        if old.sure
            && let (Some(before), Some(file)) = (&old.file, file)
            && before != file
        {
            return Err(format!("{key:?} is on {before:?} and on {file:?}"));
        }
        let over = old.told.is_some_and(|t| t.deadline <= now);
        if old.sure && sent.alone && !over {
            let more = state != old.state;
            if more && (old.told.is_some() || !state.contains(old.state) || !wanted.contains(state))
            {
                return Err(format!(
                    "{key:?} holds {:?}, asked for {wanted:?} and has {state:?}",
                    old.state
                ));
            }
            if let (Some(before), Some(epoch)) = (old.epoch, epoch)
                && epoch != before.wrapping_add(u16::from(more))
            {
                return Err(format!(
                    "{key:?} went from {:?} to {state:?}, and its epoch from {before} to {epoch}",
                    old.state
                ));
            }
        }
        if let Some(holder) = self.model.holders.get_mut(&key) {
            if holder.state != state {
                holder.since = self.events;
                holder.state = state;
            }
            holder.epoch = epoch.or(holder.epoch);
            holder.sure &= sent.alone;
            if over {
                holder.told = None;
            }
        }
        Ok(())
    }

    /// A durable open was taken up.
    fn taken_up(
        &mut self,
        now: Instant,
        conn: ConnId,
        sent: &Sent,
        id: FileId,
        guid: Option<smb_proto::Guid>,
        r: &Response,
    ) -> Result<(), String> {
        let known = self.model.opens.iter().find(|(open, _)| {
            open.persistent == id.persistent && open.persistent == r.file_id.persistent
        });
        let Some((open_id, open)) = known else {
            if self.restarted {
                return Ok(());
            }
            return Err(format!("{id} was taken up, and is not open"));
        };
        let open_id = *open_id;
        if open.life == Life::Here {
            return Err(format!("{id} was taken up, and its client is still there"));
        }
        let Some(durable) = open.durable else {
            return Err(format!("{id} was taken up, and is not durable"));
        };
        // Version 1 names none; what version 1 has made is called by zeros.
        let made = durable.guid.unwrap_or(smb_proto::Guid::NIL);
        if guid.is_some_and(|guid| guid != made) {
            return Err(format!("{id} was taken up with the wrong CreateGuid"));
        }
        if let Life::Away(since) = open.life
            && now - since > durable.timeout
        {
            return Err(format!("{id} was taken up after its time was over"));
        }
        if let Some(why) = open.doomed {
            return Err(format!("{id} was taken up after {why}"));
        }
        let mut level = of_oplock(r.oplock_level);
        if let Some(HolderKey::Lease(owner, _)) = open.holder {
            if self.model.guids.get(&conn) != Some(&owner) {
                return Err(format!("{id} was taken up by another client"));
            }
            if let Some(lease) = context(r, Lease::NAME).and_then(|d| Lease::parse(d).ok()) {
                level = lease.state;
            }
        }
        let away = matches!(open.life, Life::Away(_));
        let holder = open.holder;
        if let Some(holder) = holder.and_then(|key| self.model.holders.get(&key))
            && holder.sure
            && away
            && !holder.waits(now)
            && level != holder.state
        {
            return Err(format!(
                "{id} was left with {:?} and taken up with {level:?}",
                holder.state
            ));
        }
        if let Some(mut open) = self.model.opens.remove(&open_id) {
            open.session = sent.session;
            open.tree = sent.tree;
            open.life = if sent.alone {
                Life::Here
            } else {
                Life::Leaving
            };
            self.model.opens.insert(r.file_id, open);
        }
        Ok(())
    }
}
