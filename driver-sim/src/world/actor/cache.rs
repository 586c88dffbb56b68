//! What a client does about oplocks, leases and durable opens: it acknowledges breaks, at once, late,
//! never, twice or wrongly, and takes up what it had open when its connection comes back.

use smb_proto::Guid;
use smb_proto::create_ctx::{
    DurableFlags, DurableReconnect, DurableReconnectV2, DurableResponse, DurableResponseV2,
};
use smb_proto::id::FileId;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::oplock_break::{LeaseBreakAck, LeaseBreakFlags, Message, OplockBreak};
use smb_proto::msg::{OplockLevel, create};

use super::super::request;
use super::super::step::{Call, LeaseAsked};
use super::{Actor, Expect, Slot};
use crate::client::{Part, Target, ops};

/// A CREATE that asks for a durable open, and the open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) slot: u8,
    name: u8,
    lease: Option<LeaseAsked>,
    /// CreateGuid of version 2.
    guid: Option<Guid>,
    id: FileId,
}

impl Kept {
    /// What a CREATE asks for, if that is durable.
    pub(super) fn of(call: &Call, guid: Guid) -> Option<Self> {
        let Call::Open {
            slot,
            name,
            lease,
            durable: Some(version),
            ..
        } = call
        else {
            return None;
        };
        Some(Self {
            slot: *slot,
            name: *name,
            lease: *lease,
            guid: (*version > 0).then_some(guid),
            id: FileId::RELATED,
        })
    }

    fn request(&self) -> create::Request {
        let again = match self.guid {
            None => DurableReconnect { file_id: self.id }.to_raw(),
            Some(create_guid) => DurableReconnectV2 {
                file_id: self.id,
                create_guid,
                flags: DurableFlags::empty(),
            }
            .to_raw(),
        };
        let mut contexts = vec![again];
        contexts.extend(self.lease.as_ref().map(|l| request::lease(l).to_raw()));
        create::Request {
            requested_oplock_level: if self.lease.is_some() {
                OplockLevel::LEASE
            } else {
                OplockLevel::BATCH
            },
            contexts,
            ..ops::create(request::name(self.name), CreateDisposition::Open)
        }
    }
}

impl Actor {
    /// The name of the next CREATE.
    pub(super) fn create_guid(&mut self) -> Guid {
        self.creates += 1;
        let mut guid = [0; 16];
        guid[..8].copy_from_slice(&self.creates.to_le_bytes());
        guid[8..].copy_from_slice(&(self.number as u64 + 1).to_le_bytes());
        Guid::from_bytes(guid)
    }

    /// A CREATE was answered.
    pub(super) fn opened(&mut self, kept: Option<Kept>, target: Target, r: &create::Response) {
        self.opened_by.insert(r.file_id, target);
        let names = [DurableResponse::NAME, DurableResponseV2::NAME];
        let durable = r.contexts.iter().any(|c| names.contains(&c.name.as_ref()));
        if let Some(kept) = kept.filter(|k| durable || k.id != FileId::RELATED) {
            let id = r.file_id;
            self.kept.insert(id, Kept { id, ..kept });
        }
    }

    /// Takes up what it had open.
    pub(super) fn come_back(&mut self) {
        for kept in std::mem::take(&mut self.left) {
            let (target, _) = self.tree(0);
            // Sometimes it has forgotten, sometimes it tries twice.
            for _ in 0..self.habits.pick(&[1, 1, 1, 1, 2, 0]) {
                self.files.insert(kept.slot, Slot::Waiting);
                let part = Part::new(target, kept.request());
                self.asking = Some(kept);
                self.send(Expect::Open(kept.slot), part);
            }
        }
    }

    /// A break has come.
    pub(super) fn broken(&mut self, notice: Message) {
        let wanted = match &notice {
            Message::LeaseNotification(b) => b.flags.contains(LeaseBreakFlags::ACK_REQUIRED),
            _ => true,
        };
        if !wanted && !self.habits.chance(1, 20) {
            return;
        }
        match self.habits.below(16) {
            0 => {}
            1 => self.owed.extend([(0, notice), (1, notice)]),
            2 | 3 => {
                let turns = self.habits.small(8);
                self.owed.push((turns, notice));
            }
            _ => self.owed.push((0, notice)),
        }
    }

    /// Sends acknowledgments whose turn it is.
    pub(super) fn acknowledge(&mut self) {
        for (turns, notice) in std::mem::take(&mut self.owed) {
            if turns > 0 && !self.steps.is_empty() {
                self.owed.push((turns - 1, notice));
                continue;
            }
            let wrong = self.habits.chance(1, 24);
            let (target, ack) = match notice {
                Message::Oplock(b) => {
                    let known = self.opened_by.get(&b.file_id).copied();
                    let levels = [
                        OplockLevel::BATCH,
                        OplockLevel::LEASE,
                        OplockLevel::EXCLUSIVE,
                        OplockLevel::NONE,
                    ];
                    let oplock_level = if wrong {
                        self.habits.pick(&levels)
                    } else {
                        b.oplock_level
                    };
                    let ack = OplockBreak { oplock_level, ..b };
                    (known, Message::Oplock(ack))
                }
                Message::LeaseNotification(b) => {
                    let lease_state = if wrong {
                        self.habits.pick(&[
                            b.current_lease_state,
                            smb_proto::create_ctx::LeaseState::empty(),
                        ])
                    } else {
                        b.new_lease_state
                    };
                    let ack = LeaseBreakAck {
                        lease_key: b.lease_key,
                        lease_state,
                    };
                    (None, Message::LeaseAck(ack))
                }
                Message::LeaseAck(_) => continue,
            };
            let target = target.unwrap_or_else(|| self.tree(0).0);
            self.send(Expect::Other, Part::new(target, ack));
        }
    }
}
