//! What is sent: elements of a message, with what may deviate from the rules.

use bytes::Bytes;
use smb_proto::header::HeaderFlags;
use smb_proto::id::{MessageId, SessionId, TreeId};
use smb_proto::{Command, msg};

/// What a request is about: a session and one of its tree connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Target {
    /// The session.
    pub session: SessionId,
    /// The tree connect.
    pub tree: TreeId,
}

impl Target {
    /// No session: NEGOTIATE, the first SESSION_SETUP, ECHO.
    pub const NONE: Self = Self {
        session: SessionId(0),
        tree: TreeId(0),
    };

    /// A session without tree connect.
    #[must_use]
    pub fn session(session: SessionId) -> Self {
        Self {
            session,
            tree: TreeId(0),
        }
    }
}

/// How an element is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sign {
    /// As the session and the client's configuration demand.
    #[default]
    Auto,
    /// Not, whatever is demanded.
    No,
    /// With the right key.
    Yes,
    /// With a wrong signature.
    Wrong,
}

/// How a message is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seal {
    /// As the session, the tree connect and the client's configuration demand.
    #[default]
    Auto,
    /// Not, whatever is demanded.
    No,
    /// If the session can.
    Yes,
    /// Encrypted, and then one bit changed.
    Wrong,
}

/// The body of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartBody {
    /// A request.
    Request(msg::Request),
    /// Any bytes behind a header with this command code.
    Raw(u16, Bytes),
}

/// One element of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is about.
    pub target: Target,
    /// Its body.
    pub body: PartBody,
    /// It continues the element before it: its ids are sent as all ones.
    pub related: bool,
    /// Signing.
    pub sign: Sign,
    /// CreditCharge in the header and message ids taken; `None`: what the request needs.
    pub charge: Option<u16>,
    /// CreditRequest; `None`: as configured.
    pub credits: Option<u16>,
    /// A message id of the caller's choice; the client's own counting is not touched.
    pub message_id: Option<MessageId>,
    /// Further flags.
    pub flags: HeaderFlags,
    /// ChannelSequence (3.x).
    pub channel_sequence: u16,
}

impl Part {
    /// An element with nothing special about it.
    #[must_use]
    pub fn new(target: Target, body: impl Into<msg::Request>) -> Self {
        Self::with_body(target, PartBody::Request(body.into()))
    }

    /// An element whose body is any bytes.
    #[must_use]
    pub fn raw(target: Target, command_code: u16, body: Bytes) -> Self {
        Self::with_body(target, PartBody::Raw(command_code, body))
    }

    fn with_body(target: Target, body: PartBody) -> Self {
        Self {
            target,
            body,
            related: false,
            sign: Sign::Auto,
            charge: None,
            credits: None,
            message_id: None,
            flags: HeaderFlags::empty(),
            channel_sequence: 0,
        }
    }

    /// The same, related to the element before it.
    #[must_use]
    pub fn related(mut self) -> Self {
        self.related = true;
        self
    }

    /// The same, signed in this way.
    #[must_use]
    pub fn sign(mut self, sign: Sign) -> Self {
        self.sign = sign;
        self
    }

    /// The same with a message id of the caller's choice.
    #[must_use]
    pub fn message_id(mut self, id: u64) -> Self {
        self.message_id = Some(MessageId(id));
        self
    }

    /// The same with another CreditCharge.
    #[must_use]
    pub fn charge(mut self, charge: u16) -> Self {
        self.charge = Some(charge);
        self
    }

    /// The same, asking for another number of credits.
    #[must_use]
    pub fn credits(mut self, credits: u16) -> Self {
        self.credits = Some(credits);
        self
    }

    /// The command, if the code is that of one.
    #[must_use]
    pub fn command(&self) -> Option<Command> {
        match &self.body {
            PartBody::Request(r) => Some(r.command()),
            PartBody::Raw(code, _) => Command::from_code(*code),
        }
    }

    /// Credits that the request needs where the dialect has multi-credit requests, [MS-SMB2]
    /// 3.2.4.1.5: one for each 64 KiB of the larger of what is sent and what is asked for.
    pub(super) fn needed_charge(&self) -> u16 {
        use msg::Request as R;
        let PartBody::Request(request) = &self.body else {
            return 1;
        };
        let size = match request {
            R::Read(r) => u64::from(r.length),
            R::Write(r) => r.data.len() as u64,
            R::Ioctl(r) => (r.input.len() as u64)
                .max(u64::from(r.max_input_response) + u64::from(r.max_output_response)),
            R::QueryDirectory(r) => u64::from(r.output_buffer_length),
            R::ChangeNotify(r) => u64::from(r.output_buffer_length),
            R::QueryInfo(r) => (r.input.len() as u64).max(u64::from(r.output_buffer_length)),
            R::SetInfo(r) => r.buffer.len() as u64,
            R::Negotiate(_)
            | R::SessionSetup(_)
            | R::Logoff(_)
            | R::TreeConnect(_)
            | R::TreeDisconnect(_)
            | R::Create(_)
            | R::Close(_)
            | R::Flush(_)
            | R::Lock(_)
            | R::Cancel(_)
            | R::Echo(_)
            | R::OplockBreak(_) => 0,
        };
        u16::try_from(size.saturating_sub(1) / 65536 + 1).unwrap_or(u16::MAX)
    }
}
