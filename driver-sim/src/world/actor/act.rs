//! Steps of a script as requests.

use smb_proto::id::FileId;
use smb_proto::msg::{echo, logoff, tree_disconnect};

use super::super::step::{Call, Control, Do, Raw};
use super::super::{raw, request};
use super::cache::Kept;
use super::{Actor, Expect, Slot, credentials};
use crate::client::{LogonFor, Part, Target};

impl Actor {
    pub(super) fn take_step(&mut self, what: &Do) {
        match what {
            Do::Logon {
                session,
                user,
                wrong,
            } => {
                if let Some(client) = &mut self.client {
                    let id = client.logon(credentials(*user, *wrong), LogonFor::New);
                    self.sessions.insert(*session, Slot::Waiting);
                    self.logons.insert(id, *session);
                }
            }
            Do::Reauthenticate { session } => {
                if let (Some(Slot::Holds(id)), Some(client)) =
                    (self.sessions.get(session), &mut self.client)
                {
                    let again = LogonFor::Again(*id);
                    client.logon(credentials(self.plan.user, false), again);
                }
            }
            Do::Logoff { session } => {
                let target = Target::session(self.session(*session));
                let part = Part::new(target, logoff::Request);
                self.send(Expect::LoggedOff(*session), part);
            }
            Do::Tree {
                tree,
                session,
                share,
            } => {
                let id = self.session(*session);
                self.mount(Expect::Tree(*tree), *tree, id, *share);
            }
            Do::TreeDisconnect { tree } => {
                let (target, _) = self.tree(*tree);
                let part = Part::new(target, tree_disconnect::Request);
                self.send(Expect::TreeGone(*tree), part);
            }
            Do::Echo => {
                let target = Target::session(self.session(0));
                self.send(Expect::Other, Part::new(target, echo::Request));
            }
            Do::Call { tree, call } => {
                let (target, pipe) = self.tree(*tree);
                let file = self.file(request::slot(call));
                let guid = self.create_guid();
                let part = Part::new(target, request::build(call, file, self.key, pipe, guid));
                let expect = self.expect(call);
                self.asking = Kept::of(call, guid);
                self.send(expect, part);
            }
            Do::Compound {
                tree,
                related,
                calls,
            } => self.compound(*tree, *related, calls),
            Do::Cancel { nth } => {
                let mut under_way = self.expected.keys().rev();
                if let (Some(id), Some(client)) =
                    (under_way.nth(usize::from(*nth)), &mut self.client)
                {
                    client.cancel(*id);
                }
            }
            Do::Raw(kind) => {
                let (target, _) = self.tree(0);
                let file = match kind {
                    Raw::Mutated { slot, .. } => self.file(*slot),
                    _ => self.file(0),
                };
                self.lenient = true;
                if let Some(client) = &mut self.client {
                    raw::send(client, &mut self.dice, *kind, target, file);
                }
            }
            // The world's, and those that [`Self::advance`] hands to it.
            Do::Reconnect { .. }
            | Do::HalfClose
            | Do::Stall { .. }
            | Do::Bind { .. }
            | Do::Outside(_)
            | Do::Capacity { .. }
            | Do::DiskDown { .. }
            | Do::Crash
            | Do::ClockJump { .. } => {}
        }
    }

    /// What the answer to a call is for; notes what it will fill.
    pub(super) fn expect(&mut self, call: &Call) -> Expect {
        match call {
            Call::Open { slot, .. } => {
                self.files.insert(*slot, Slot::Waiting);
                Expect::Open(*slot)
            }
            Call::Close { slot, .. } => Expect::Closed(*slot),
            Call::Ioctl {
                control: Control::ResumeKey,
                ..
            } => Expect::Key,
            _ => Expect::Other,
        }
    }

    pub(super) fn compound(&mut self, tree: u8, related: bool, calls: &[Call]) {
        let (target, pipe) = self.tree(tree);
        let mut parts = Vec::with_capacity(calls.len());
        let mut expected = Vec::with_capacity(calls.len());
        for (i, call) in calls.iter().enumerate() {
            let file = if related && i > 0 {
                FileId::RELATED
            } else {
                self.file(request::slot(call))
            };
            let guid = self.create_guid();
            let part = Part::new(target, request::build(call, file, self.key, pipe, guid));
            parts.push(if related && i > 0 {
                part.related()
            } else {
                part
            });
            expected.push(self.expect(call));
        }
        if let Some(client) = &mut self.client {
            let ids = client.send_compound(parts);
            self.expected.extend(ids.into_iter().zip(expected));
        }
    }
}
