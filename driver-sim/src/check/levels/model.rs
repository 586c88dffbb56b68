//! What is known of opens, and of who may cache what of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smb_engine::output::ConnId;
use smb_engine::time::Instant;
use smb_proto::Guid;
use smb_proto::create_ctx::LeaseState;
use smb_proto::id::{FileId, LeaseKey, SessionId, TreeId};

/// A file as [`smb_proto::create_ctx::DiskIdResponse`] names it, and the stream, folded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileKey {
    pub(super) volume: u64,
    pub(super) file: u64,
    pub(super) stream: String,
}

/// Who may cache: an open by its oplock, or a client by a lease of this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HolderKey {
    Oplock(FileId),
    Lease(Guid, LeaseKey),
}

/// A break that has not been acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) keep: LeaseState,
    /// Where it was said: if that channel is lost, it is said again on another.
    pub(super) conn: ConnId,
    /// When the server goes on without acknowledgment.
    pub(super) deadline: Instant,
}

/// What somebody may cache.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    pub(super) file: Option<FileKey>,
    /// Until a break is acknowledged: what it was before.
    pub(super) state: LeaseState,
    pub(super) told: Option<Told>,
    /// As the client was told last; `None` if it is not told.
    pub(super) epoch: Option<u16>,
    /// Number of the event by which this came about.
    pub(super) since: u64,
    /// When the last break was acknowledged: a further step may follow at once.
    pub(super) acked: Option<Instant>,
    /// All of this is known for certain.
    pub(super) sure: bool,
}

impl Holder {
    /// What it may cache for certain at this time.
    pub(super) fn certain(&self, now: Instant) -> LeaseState {
        let over = self.told.is_some_and(|t| t.deadline <= now);
        if self.sure && !over {
            self.state
        } else {
            LeaseState::empty()
        }
    }

    /// A break is certainly waiting for its acknowledgment.
    pub(super) fn waits(&self, now: Instant) -> bool {
        self.told.is_some_and(|t| now < t.deadline)
    }
}

/// How an open lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Here,
    /// A request that ends it is on its way, or it has ended without anybody being told.
    Leaving,
    /// It is durable, and its connection went at this time.
    Away(Instant),
}

/// What makes an open durable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Durable {
    pub(super) guid: Option<Guid>,
    pub(super) timeout: Duration,
}

/// An open.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) session: SessionId,
    pub(super) tree: TreeId,
    pub(super) file: Option<FileKey>,
    pub(super) holder: Option<HolderKey>,
    /// It certainly does more than look at the file.
    pub(super) works: bool,
    /// Number of the event by which it came about.
    pub(super) since: u64,
    pub(super) life: Life,
    pub(super) durable: Option<Durable>,
    /// Why it cannot come back.
    pub(super) doomed: Option<&'static str>,
}

/// What somebody does to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Opens it to do more than look.
    Open,
    /// Replaces its content.
    Replace,
    /// Changes its data, or locks a range of it.
    Data,
    /// Changes its name, or is going to delete it.
    Name,
}

impl Deed {
    /// What a holder of this may not keep beside it.
    pub(super) fn against(self, held: LeaseState) -> LeaseState {
        match self {
            Self::Open => held & LeaseState::WRITE,
            Self::Replace => held,
            Self::Data if held.contains(LeaseState::WRITE) => LeaseState::empty(),
            Self::Data => held & LeaseState::READ,
            Self::Name => held & LeaseState::HANDLE,
        }
    }

    /// Whether it happens only after the holder has acknowledged.
    pub(super) fn waits_for(self, against: LeaseState) -> bool {
        match self {
            Self::Open | Self::Name => true,
            Self::Replace => against.contains(LeaseState::WRITE),
            Self::Data => false,
        }
    }
}

/// Everything that is known.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) opens: BTreeMap<FileId, Open>,
    pub(super) holders: BTreeMap<HolderKey, Holder>,
    /// Connections of sessions.
    pub(super) sessions: BTreeMap<SessionId, BTreeSet<ConnId>>,
    pub(super) closing: BTreeSet<ConnId>,
    pub(super) guids: BTreeMap<ConnId, Guid>,
}

impl Model {
    /// The opens through which somebody holds something.
    pub(super) fn opens_of(&self, key: HolderKey) -> impl Iterator<Item = &Open> {
        self.opens.values().filter(move |o| o.holder == Some(key))
    }

    /// Whether somebody certainly holds what is known of it.
    pub(super) fn is_firm(&self, key: HolderKey) -> bool {
        self.opens_of(key).any(|o| o.life == Life::Here)
    }

    /// Whether all opens of a holder wait for their client.
    fn is_away(&self, key: HolderKey) -> bool {
        let mut opens = self.opens_of(key).peekable();
        opens.peek().is_some() && opens.all(|o| matches!(o.life, Life::Away(_)))
    }

    /// Whether a holder's opens do more than look.
    pub(super) fn works(&self, key: HolderKey) -> bool {
        self.opens_of(key).any(|o| o.works)
    }

    /// Holders of something of a file, but one.
    pub(super) fn others(
        &self,
        file: &FileKey,
        me: Option<HolderKey>,
    ) -> impl Iterator<Item = (HolderKey, &Holder)> {
        let of_file = move |h: &Holder| h.file.as_ref() == Some(file);
        let others = self.holders.iter().map(|(k, h)| (*k, h));
        others.filter(move |(k, h)| Some(*k) != me && of_file(h))
    }

    /// What was done has gone through: nobody else may still hold what stands against it, of those who
    /// held it when it was asked for (event `before`).
    pub(super) fn done(
        &mut self,
        deed: Deed,
        file: &FileKey,
        me: Option<HolderKey>,
        before: u64,
        now: Instant,
    ) -> Result<(), String> {
        let mut doomed = Vec::new();
        for (key, holder) in self.others(file, me).filter(|(_, h)| h.since < before) {
            let against = deed.against(holder.certain(now));
            if against.is_empty() {
                continue;
            }
            if self.is_away(key) {
                doomed.push(key);
                continue;
            }
            if !self.is_firm(key) {
                continue;
            }
            match holder.told {
                None => {
                    return Err(format!(
                        "{deed:?} was done while {key:?} may cache {:?} and was told nothing",
                        holder.state
                    ));
                }
                Some(told) if deed.waits_for(against) => {
                    return Err(format!(
                        "{deed:?} was done before {key:?} acknowledged the break from {:?} to {:?}",
                        holder.state, told.keep
                    ));
                }
                Some(_) => {}
            }
        }
        for key in doomed {
            for open in self.opens.values_mut().filter(|o| o.holder == Some(key)) {
                open.doomed = Some(match deed {
                    Deed::Open => "the file was opened by another",
                    Deed::Replace => "the file was replaced by another",
                    Deed::Data => "another changed the data",
                    Deed::Name => "another changed the name",
                });
            }
        }
        Ok(())
    }

    /// These opens may end at any time from now on.
    pub(super) fn leaving(&mut self, which: impl Fn(&FileId, &Open) -> bool) {
        for (id, open) in &mut self.opens {
            if open.life == Life::Here && which(id, open) {
                open.life = Life::Leaving;
            }
        }
    }

    /// These opens have ended.
    pub(super) fn ended(&mut self, which: impl Fn(&FileId, &Open) -> bool) {
        self.opens.retain(|id, open| !which(id, open));
        let held: BTreeSet<HolderKey> = self.opens.values().filter_map(|o| o.holder).collect();
        self.holders.retain(|key, _| held.contains(key));
    }

    /// The server closes a connection, or it has broken already.
    pub(super) fn closing(&mut self, conn: ConnId) {
        self.closing.insert(conn);
        let gone: BTreeSet<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, conns)| conns.contains(&conn) && conns.is_subset(&self.closing))
            .map(|(id, _)| *id)
            .collect();
        self.leaving(|_, o| gone.contains(&o.session));
    }

    /// A connection has gone, and sessions with it that have no other.
    pub(super) fn disconnected(&mut self, conn: ConnId, now: Instant) {
        let mut gone = BTreeSet::new();
        self.sessions.retain(|id, conns| {
            if conns.remove(&conn) && conns.is_empty() {
                gone.insert(*id);
            }
            !conns.is_empty()
        });
        for open in self.opens.values_mut() {
            let left = gone.contains(&open.session) && !matches!(open.life, Life::Away(_));
            if left && open.durable.is_some() {
                open.life = Life::Away(now);
            }
        }
        self.ended(|_, o| gone.contains(&o.session) && o.durable.is_none());
        self.closing.remove(&conn);
        self.guids.remove(&conn);
    }
}
