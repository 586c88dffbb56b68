//! Breaks and acknowledgments.

use smb_engine::output::ConnId;
use smb_engine::time::Instant;
use smb_proto::create_ctx::LeaseState;
use smb_proto::msg::OplockLevel;
use smb_proto::msg::oplock_break::{LeaseBreakFlags, Message};
use smb_proto::{Guid, NtStatus};

use super::asked::Asked;
use super::model::{HolderKey, Life, Told};
use super::opening::of_oplock;
use super::{Levels, Sent};

const MUST_ACKNOWLEDGE: LeaseState = LeaseState::WRITE.union(LeaseState::HANDLE);

/// Refusals that say that nothing is being broken, or not so.
const NO_BREAK: [NtStatus; 5] = [
    NtStatus::UNSUCCESSFUL,
    NtStatus::REQUEST_NOT_ACCEPTED,
    NtStatus::OBJECT_NAME_NOT_FOUND,
    NtStatus::INVALID_OPLOCK_PROTOCOL,
    NtStatus::FILE_CLOSED,
];

impl Levels {
    /// A break was sent.
    pub(super) fn broken(
        &mut self,
        now: Instant,
        conn: ConnId,
        notice: &Message,
    ) -> Result<(), String> {
        let guid = self.model.guids.get(&conn).copied().unwrap_or_default();
        let key = match notice {
            Message::Oplock(b) => HolderKey::Oplock(b.file_id),
            Message::LeaseNotification(b) => HolderKey::Lease(guid, b.lease_key),
            Message::LeaseAck(_) => return Err("an acknowledgment came as a break".to_owned()),
        };
        if self.model.closing.contains(&conn) || !self.model.guids.contains_key(&conn) {
            return Err(format!("a break to connection {conn}, which is closed"));
        }
        let Some(holder) = self.model.holders.get(&key) else {
            return if self.restarted || self.opens_under_way(guid) {
                Ok(())
            } else {
                Err(format!("a break of {key:?}, which nobody holds"))
            };
        };
        let reached = self.model.opens_of(key).any(|o| {
            let conns = self.model.sessions.get(&o.session);
            !matches!(o.life, Life::Away(_)) && conns.is_some_and(|c| c.contains(&conn))
        });
        // An open is its client's again before that has been told so.
        let comes_back = self.sent.iter().any(|((c, _), s)| match &s.asked {
            Asked::Create(a) => *c == conn && (a.reconnect.is_some() || a.reconnect_v2.is_some()),
            _ => false,
        });
        if !reached && comes_back {
            if let Some(holder) = self.model.holders.get_mut(&key) {
                holder.sure = false;
            }
            return Ok(());
        }
        if !reached && holder.sure {
            return Err(format!(
                "a break of {key:?} to connection {conn}, which holds nothing of it"
            ));
        }
        if let Some(told) = holder.told.filter(|t| now < t.deadline && t.conn != conn) {
            if let Some(holder) = self.model.holders.get_mut(&key) {
                holder.told = Some(Told { conn, ..told });
            }
            return Ok(());
        }
        if holder.waits(now) && holder.sure {
            return Err(format!(
                "a second break of {key:?}, and the first is not acknowledged"
            ));
        }
        let from = holder.state;
        let (keep, acknowledge, epoch) = match notice {
            Message::Oplock(b) => {
                let keep = of_oplock(b.oplock_level);
                let acknowledge = from.intersects(MUST_ACKNOWLEDGE);
                let levels = [OplockLevel::NONE, OplockLevel::LEVEL_II];
                if !levels.contains(&b.oplock_level) {
                    return Err(format!("{key:?} was broken to {:?}", b.oplock_level));
                }
                (keep, acknowledge, None)
            }
            Message::LeaseNotification(b) => {
                let acknowledge = b.flags.contains(LeaseBreakFlags::ACK_REQUIRED);
                let now = b.current_lease_state;
                if now != from && holder.sure {
                    return Err(format!("{key:?} holds {from:?} and is broken from {now:?}"));
                }
                if acknowledge != now.intersects(MUST_ACKNOWLEDGE) {
                    return Err(format!(
                        "{key:?} is broken from {now:?}, acknowledgment wanted: {acknowledge}"
                    ));
                }
                (b.new_lease_state, acknowledge, Some(b.new_epoch))
            }
            Message::LeaseAck(_) => return Ok(()),
        };
        if holder.sure && (!from.contains(keep) || keep == from) {
            return Err(format!("{key:?} holds {from:?} and is broken to {keep:?}"));
        }
        if let (Some(before), Some(epoch), true) = (holder.epoch, epoch, holder.sure) {
            // A further step of one break is not counted.
            let step = holder.acked == Some(now) && epoch == before;
            if !step && epoch != before.wrapping_add(1) {
                return Err(format!(
                    "{key:?} is broken from {from:?} to {keep:?}, and its epoch goes from {before} to {epoch}"
                ));
            }
        }
        let deadline = now + self.break_after;
        if let Some(holder) = self.model.holders.get_mut(&key) {
            if holder.epoch.is_some() {
                holder.epoch = epoch;
            }
            holder.told = acknowledge.then_some(Told {
                keep,
                conn,
                deadline,
            });
            if !acknowledge {
                holder.state = keep;
            }
        }
        Ok(())
    }

    /// Whether the first elements of a client's message may have opened what its last one still works on.
    fn opens_under_way(&self, guid: Guid) -> bool {
        self.sent.iter().any(|((c, _), s)| {
            let opens = matches!(s.asked, Asked::Create(_)) && !s.alone;
            opens && self.model.guids.get(c) == Some(&guid)
        })
    }

    /// An acknowledgment was answered.
    pub(super) fn acknowledged(
        &mut self,
        now: Instant,
        conn: ConnId,
        sent: &Sent,
        status: NtStatus,
    ) -> Result<(), String> {
        let (key, kept) = match &sent.asked {
            Asked::AckOplock(id, level) => (HolderKey::Oplock(*id), of_oplock(*level)),
            Asked::AckLease(key, state) => {
                let guid = self.model.guids.get(&conn).copied().unwrap_or_default();
                (HolderKey::Lease(guid, *key), *state)
            }
            _ => return Ok(()),
        };
        let good = status == NtStatus::SUCCESS;
        let own = self.model.opens_of(key).any(|o| {
            o.life == Life::Here
                && (matches!(key, HolderKey::Lease(..)) || o.session == sent.session)
        });
        let guid = self.model.guids.get(&conn).copied().unwrap_or_default();
        let under_way = self.restarted || self.opens_under_way(guid);
        let Some(holder) = self.model.holders.get_mut(&key) else {
            return if good && sent.alone && !under_way {
                Err(format!(
                    "an acknowledgment of {key:?}, which nobody holds, was accepted"
                ))
            } else {
                Ok(())
            };
        };
        if !sent.alone {
            holder.sure = false;
        }
        let told = holder.told.filter(|t| now <= t.deadline);
        let oplock = matches!(key, HolderKey::Oplock(_));
        let fits = told.is_some_and(|t| t.keep.contains(kept))
            && !(oplock && kept.intersects(MUST_ACKNOWLEDGE));
        if !good {
            let rightly = fits && own && holder.waits(now) && sent.trusted;
            if holder.sure && rightly && NO_BREAK.contains(&status) {
                return Err(format!(
                    "the acknowledgment of {key:?} with {kept:?} was refused: {status}"
                ));
            }
            // Who says something wrong about an oplock that is being broken has none any more.
            if oplock && told.is_some() && NO_BREAK.contains(&status) {
                holder.told = None;
                holder.state = LeaseState::empty();
            } else if oplock && status == NtStatus::INVALID_PARAMETER {
                holder.sure = false;
            }
            return Ok(());
        }
        if holder.sure && told.is_none() {
            return Err(format!(
                "{key:?} acknowledged with {kept:?}, and nothing is being broken"
            ));
        }
        if holder.sure && !fits {
            return Err(format!(
                "{key:?} was told to keep {:?} and kept {kept:?}",
                told.map(|t| t.keep)
            ));
        }
        holder.state = kept;
        holder.told = None;
        holder.acked = Some(now);
        Ok(())
    }
}
