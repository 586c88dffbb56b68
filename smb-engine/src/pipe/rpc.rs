//! One association: binding of interfaces, calls made of fragments, faults
//! (C706 9.3 and 12.6, [MS-RPCE] 3.3).

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use smb_proto::ParseError;
use smb_proto::rpc::pdu::{
    Bind, BindAck, BindNak, Body, ContextElement, ContextResult, Fault, MIN_FRAGMENT, Pdu,
    PfcFlags, Request, Response, STUB_OFFSET, SyntaxId,
};
use smb_proto::rpc::{lsarpc, samr, srvsvc, wkssvc};

use super::ServerView;
use super::handles::Handles;

/// The largest fragment that is sent, in bytes; what Windows and Samba send on pipes.
pub(super) const MAX_FRAGMENT: u16 = 4280;

/// The most stub data of one call, over all its fragments.
pub(super) const MAX_CALL: usize = 256 << 10;

/// The most stub data of one reply.
pub(super) const MAX_REPLY: usize = 1 << 20;

/// The most presentation contexts of one association.
const MAX_BOUND: usize = 64;

/// Which interfaces can be bound on a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// srvsvc and wkssvc.
    Server,
    /// lsarpc and samr.
    Accounts,
}

/// An interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Srvsvc,
    Wkssvc,
    Lsarpc,
    Samr,
}

impl Family {
    fn services(self) -> [(Service, SyntaxId); 2] {
        match self {
            Self::Server => [
                (Service::Srvsvc, srvsvc::INTERFACE),
                (Service::Wkssvc, wkssvc::INTERFACE),
            ],
            Self::Accounts => [
                (Service::Lsarpc, lsarpc::INTERFACE),
                (Service::Samr, samr::INTERFACE),
            ],
        }
    }
}

/// Why a call is answered with a fault PDU: one of the constants of [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CallFault(pub(super) u32);

impl From<ParseError> for CallFault {
    fn from(_: ParseError) -> Self {
        Self(Fault::BAD_STUB_DATA)
    }
}

/// The peer sent what no client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// A call whose last fragment has not come.
#[derive(Debug)]
struct Call {
    id: u32,
    context: u16,
    opnum: u16,
    stub: BytesMut,
    /// It will be answered with this fault, and nothing more is kept of it.
    fault: Option<CallFault>,
}

/// The state of one association.
#[derive(Debug)]
pub(super) struct Association {
    family: Family,
    address: &'static str,
    bound: bool,
    /// The largest fragment the client can receive, and we send.
    fragment: u16,
    contexts: BTreeMap<u16, Service>,
    call: Option<Call>,
    handles: Handles,
}

impl Association {
    /// Which interfaces can be bound.
    pub(super) fn family(&self) -> Family {
        self.family
    }

    pub(super) fn new(family: Family, address: &'static str) -> Self {
        Self {
            family,
            address,
            bound: false,
            fragment: MIN_FRAGMENT,
            contexts: BTreeMap::new(),
            call: None,
            handles: Handles::default(),
        }
    }

    /// Takes one PDU and answers with those to send.
    pub(super) fn handle(&mut self, pdu: Pdu, view: &ServerView) -> Result<Vec<Bytes>, Broken> {
        let Pdu {
            flags,
            call_id,
            body,
            auth,
        } = pdu;
        // Authentication inside RPC is not offered: the session around the pipe has it. A client
        // that insists is told so when it binds, and can bind without.
        let wants_auth = auth.is_some_and(|a| a.auth_type != 0);
        let one = |body| Ok(vec![Pdu::whole(call_id, body).to_bytes()]);
        match body {
            Body::Bind(_) if self.bound => one(Body::BindNak(BindNak {
                reason: BindNak::REASON_NOT_SPECIFIED,
            })),
            Body::Bind(_) if wants_auth => one(Body::BindNak(BindNak {
                reason: BindNak::AUTHENTICATION_TYPE_NOT_RECOGNIZED,
            })),
            Body::Bind(bind) => {
                self.bound = true;
                self.fragment = bind.max_recv_frag.clamp(MIN_FRAGMENT, MAX_FRAGMENT);
                let ack = self.bind(&bind, self.address);
                one(Body::BindAck(ack))
            }
            Body::AlterContext(_) if !self.bound => Err(Broken),
            Body::AlterContext(_) if wants_auth => one(Body::Fault(Fault {
                context_id: 0,
                status: Fault::ACCESS_DENIED,
            })),
            Body::AlterContext(bind) => {
                let ack = self.bind(&bind, "");
                one(Body::AlterContextResp(ack))
            }
            Body::Request(request) => Ok(self.request(flags, call_id, request, view)),
            Body::Orphaned => {
                if self.call.as_ref().is_some_and(|c| c.id == call_id) {
                    self.call = None;
                }
                Ok(Vec::new())
            }
            // A call is answered as soon as it is there, so a cancel finds nothing; a third
            // authentication leg without the first two means nothing.
            Body::Cancel | Body::Auth3 => Ok(Vec::new()),
            Body::Response(_)
            | Body::Fault(_)
            | Body::BindAck(_)
            | Body::BindNak(_)
            | Body::AlterContextResp(_)
            | Body::Shutdown => Err(Broken),
        }
    }

    fn bind(&mut self, bind: &Bind, address: &str) -> BindAck {
        BindAck {
            max_xmit_frag: self.fragment,
            max_recv_frag: bind.max_xmit_frag.clamp(MIN_FRAGMENT, MAX_FRAGMENT),
            // Any number but zero; groups are not shared between pipes.
            assoc_group: match bind.assoc_group {
                0 => 0x0001_0000,
                given => given,
            },
            secondary_address: address.to_owned(),
            results: bind.contexts.iter().map(|c| self.context(c)).collect(),
        }
    }

    fn context(&mut self, proposed: &ContextElement) -> ContextResult {
        if proposed.transfers.iter().any(|t| t.features().is_some()) {
            // Bind time feature negotiation ([MS-RPCE] 3.3.1.5.3); no feature applies to pipes
            // that never authenticate by themselves.
            return ContextResult::Features(0);
        }
        let wanted = proposed.interface;
        let Some((service, _)) = self.family.services().into_iter().find(|(_, have)| {
            have.uuid == wanted.uuid
                && have.major() == wanted.major()
                && have.minor() >= wanted.minor()
        }) else {
            return ContextResult::ABSTRACT_SYNTAX;
        };
        if !proposed.transfers.contains(&SyntaxId::NDR) {
            return ContextResult::TRANSFER_SYNTAXES;
        }
        if self.contexts.len() >= MAX_BOUND && !self.contexts.contains_key(&proposed.id) {
            return ContextResult::LOCAL_LIMIT;
        }
        self.contexts.insert(proposed.id, service);
        ContextResult::Accepted(SyntaxId::NDR)
    }

    fn request(
        &mut self,
        flags: PfcFlags,
        id: u32,
        request: Request,
        view: &ServerView,
    ) -> Vec<Bytes> {
        if flags.contains(PfcFlags::FIRST_FRAG) {
            self.call = Some(Call {
                id,
                context: request.context_id,
                opnum: request.opnum,
                stub: BytesMut::new(),
                fault: None,
            });
        }
        let Some(call) = self.call.as_mut().filter(|c| c.id == id) else {
            return vec![fault(id, request.context_id, CallFault(Fault::PROTO_ERROR))];
        };
        if call.stub.len().saturating_add(request.stub.len()) > MAX_CALL {
            call.fault = Some(CallFault(Fault::REMOTE_NO_MEMORY));
            call.stub = BytesMut::new();
        }
        if call.fault.is_none() {
            call.stub.extend_from_slice(&request.stub);
        }
        if !flags.contains(PfcFlags::LAST_FRAG) {
            return Vec::new();
        }
        let Some(call) = self.call.take() else {
            return Vec::new();
        };
        let answer = self.execute(&call, view);
        if flags.contains(PfcFlags::MAYBE) {
            return Vec::new();
        }
        match answer {
            Ok(stub) => self.fragments(&call, stub),
            Err(f) => vec![fault(call.id, call.context, f)],
        }
    }

    fn execute(&mut self, call: &Call, view: &ServerView) -> Result<Bytes, CallFault> {
        if let Some(fault) = call.fault {
            return Err(fault);
        }
        let service = self
            .contexts
            .get(&call.context)
            .ok_or(CallFault(Fault::UNK_IF))?;
        let (opnum, stub, handles) = (call.opnum, &call.stub[..], &mut self.handles);
        let reply = match service {
            Service::Srvsvc => super::srvsvc::call(opnum, stub, view),
            Service::Wkssvc => super::wkssvc::call(opnum, stub, view),
            Service::Lsarpc => super::lsarpc::call(opnum, stub, handles, view),
            Service::Samr => super::samr::call(opnum, stub, handles, view),
        }?;
        if reply.len() > MAX_REPLY {
            return Err(CallFault(Fault::REMOTE_NO_MEMORY));
        }
        Ok(reply)
    }

    /// A reply as one or more PDUs, none longer than the client can receive.
    fn fragments(&self, call: &Call, mut stub: Bytes) -> Vec<Bytes> {
        // All but the last carry a multiple of eight bytes, so that alignment is kept.
        let room = usize::from(self.fragment).saturating_sub(STUB_OFFSET) & !7;
        let mut out = Vec::new();
        let mut flags = PfcFlags::FIRST_FRAG;
        loop {
            let left = stub.len();
            let part = stub.split_to(left.min(room.max(8)));
            if stub.is_empty() {
                flags |= PfcFlags::LAST_FRAG;
            }
            let pdu = Pdu {
                flags,
                ..Pdu::whole(
                    call.id,
                    Body::Response(Response {
                        alloc_hint: u32::try_from(left).unwrap_or(u32::MAX),
                        context_id: call.context,
                        stub: part,
                    }),
                )
            };
            out.push(pdu.to_bytes());
            if stub.is_empty() {
                return out;
            }
            flags = PfcFlags::empty();
        }
    }
}

fn fault(call_id: u32, context_id: u16, CallFault(status): CallFault) -> Bytes {
    let executed = !matches!(
        status,
        Fault::OP_RNG_ERROR | Fault::UNK_IF | Fault::PROTO_ERROR
    );
    let mut pdu = Pdu::whole(call_id, Body::Fault(Fault { context_id, status }));
    pdu.flags.set(PfcFlags::DID_NOT_EXECUTE, !executed);
    pdu.to_bytes()
}

/// The part of a list that one reply carries: from element `from` on as many as have `preferred`
/// bytes together, but at least one; and the index of the first that is left, if any is.
pub(super) fn page<T>(
    all: &[T],
    from: u32,
    preferred: u32,
    size: impl Fn(&T) -> usize,
) -> (&[T], Option<u32>) {
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(all.len());
    let rest = all.get(from..).unwrap_or(&[]);
    let preferred = usize::try_from(preferred).unwrap_or(usize::MAX);
    let mut used = 0usize;
    let count = rest
        .iter()
        .take_while(|v| {
            let first = used == 0;
            used = used.saturating_add(size(v).max(1));
            first || used <= preferred
        })
        .count();
    let next = from.saturating_add(count);
    let next = (next < all.len()).then(|| u32::try_from(next).unwrap_or(u32::MAX));
    (rest.get(..count).unwrap_or(&[]), next)
}

/// The number of elements of a list, as the protocols carry it.
pub(super) fn len32<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let all = [10usize, 10, 10, 10];
        let p = |from, preferred| {
            let (part, next) = page(&all, from, preferred, |&s| s);
            (part.len(), next)
        };
        assert_eq!(p(0, u32::MAX), (4, None));
        assert_eq!(p(0, 25), (2, Some(2)));
        assert_eq!(p(2, 25), (2, None));
        assert_eq!(p(0, 0), (1, Some(1)));
        assert_eq!(p(4, 25), (0, None));
        assert_eq!(p(99, 25), (0, None));
    }
}
