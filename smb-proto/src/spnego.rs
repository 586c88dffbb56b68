//! SPNEGO tokens, RFC 4178 and [MS-SPNG]: how client and server agree on a security mechanism.
//!
//! The layouts only. Which mechanism is chosen, and what the checksum over the mechanism list
//! proves, is the business of whoever authenticates.
//!
//! The DER is read by the few functions at the end of this file rather than by a general crate:
//! the list of mechanisms is needed byte for byte as it came (checksums are computed over it), and
//! field \[3\] of the first token has two types that only its tag tells apart.

use bytes::Bytes;

use crate::ParseError;
use crate::wire::Writer;

/// The longest token that is read, in bytes: a security buffer's length has 16 bits.
pub const MAX_TOKEN_LEN: usize = 65_535;

/// The most mechanisms that are read from one list.
pub const MAX_MECHANISMS: usize = 32;

/// The most bytes of an object identifier's value.
const MAX_OID_LEN: usize = 64;

/// The hint name that servers send, [MS-SPNG] 2.2.1.
pub const HINT_NAME: &[u8] = b"not_defined_in_RFC4178@please_ignore";

const WHAT: &str = "SPNEGO token";

const OID_SPNEGO: &[u8] = &[0x2b, 6, 1, 5, 5, 2];
const OID_NTLMSSP: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10];
const OID_NEGOEX: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 30];
const OID_KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2];
const OID_MS_KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2];

/// A security mechanism, named by its object identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Mechanism {
    /// 1.3.6.1.4.1.311.2.2.10, NTLM ([MS-NLMP]).
    Ntlmssp,
    /// 1.2.840.113554.1.2.2, Kerberos 5 (RFC 4121).
    Kerberos,
    /// 1.2.840.48018.1.2.2, Kerberos 5 under the identifier that a mistake in Windows 2000 gave
    /// it ([MS-SPNG] 3.1.5.2); what it carries is the same.
    MsKerberos,
    /// 1.3.6.1.4.1.311.2.2.30, [MS-NEGOEX].
    NegoEx,
    /// Another one: the value bytes of its identifier.
    Other(#[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))] Bytes),
}

impl Mechanism {
    /// The value bytes of the object identifier.
    #[must_use]
    pub fn oid(&self) -> &[u8] {
        match self {
            Self::Ntlmssp => OID_NTLMSSP,
            Self::Kerberos => OID_KERBEROS,
            Self::MsKerberos => OID_MS_KERBEROS,
            Self::NegoEx => OID_NEGOEX,
            Self::Other(oid) => oid,
        }
    }

    fn from_oid(oid: Bytes) -> Result<Self, ParseError> {
        match oid.as_ref() {
            OID_NTLMSSP => Ok(Self::Ntlmssp),
            OID_KERBEROS => Ok(Self::Kerberos),
            OID_MS_KERBEROS => Ok(Self::MsKerberos),
            OID_NEGOEX => Ok(Self::NegoEx),
            other if other.is_empty() || other.len() > MAX_OID_LEN => {
                Err(ParseError::BadValue(WHAT))
            }
            _ => Ok(Self::Other(oid)),
        }
    }
}

/// A list of mechanisms in order of preference (MechTypeList, RFC 4178 4.1), together with its
/// encoding exactly as sent or received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MechanismList {
    mechanisms: Vec<Mechanism>,
    der: Bytes,
}

impl MechanismList {
    /// A list to be sent.
    #[must_use]
    pub fn new(mechanisms: Vec<Mechanism>) -> Self {
        let oids: Vec<u8> = mechanisms
            .iter()
            .flat_map(|m| tlv(tag::OID, m.oid()))
            .collect();
        Self {
            mechanisms,
            der: tlv(tag::SEQUENCE, &oids).into(),
        }
    }

    /// The mechanisms, the preferred one first.
    #[must_use]
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// The DER of the SEQUENCE OF, over which mechListMIC is computed (RFC 4178 5). Empty if the
    /// token had no list.
    #[must_use]
    pub fn der(&self) -> &Bytes {
        &self.der
    }

    fn read(d: &mut Der) -> Result<Self, ParseError> {
        let mut whole = d.clone();
        let mut items = d.enter(tag::SEQUENCE)?;
        let der = whole.bytes_until(d)?;
        let mut mechanisms = Vec::new();
        while !items.is_empty() {
            if mechanisms.len() >= MAX_MECHANISMS {
                return Err(ParseError::TooMany(WHAT));
            }
            mechanisms.push(Mechanism::from_oid(items.value(tag::OID)?)?);
        }
        Ok(Self { mechanisms, der })
    }
}

/// NegHints, [MS-SPNG] 2.2.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NegHints {
    /// hintName, a GeneralString whose character set is the sender's; see [`HINT_NAME`].
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub hint_name: Option<Bytes>,
    /// hintAddress; nobody sends it.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub hint_address: Option<Bytes>,
}

/// The first token of either side: NegTokenInit (RFC 4178 4.2.1) from a client, NegTokenInit2
/// ([MS-SPNG] 2.2.1) from a server in its NEGOTIATE response.
///
/// The two differ in field \[3\], mechListMIC or negHints. It is written as negHints if
/// `hints` is present, and mechListMIC is then field \[4\]. reqFlags is ignored and never written
/// ([MS-SPNG] 2.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NegTokenInit {
    /// mechTypes.
    pub mechanisms: MechanismList,
    /// mechToken: the first token of the preferred mechanism.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub mech_token: Option<Bytes>,
    /// negHints.
    pub hints: Option<NegHints>,
    /// mechListMIC.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub mech_list_mic: Option<Bytes>,
}

/// negState, RFC 4178 4.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum NegState {
    /// accept-completed (0).
    AcceptCompleted,
    /// accept-incomplete (1).
    AcceptIncomplete,
    /// reject (2).
    Reject,
    /// request-mic (3).
    RequestMic,
}

impl NegState {
    fn from_wire(value: &[u8]) -> Result<Self, ParseError> {
        match value {
            [0] => Ok(Self::AcceptCompleted),
            [1] => Ok(Self::AcceptIncomplete),
            [2] => Ok(Self::Reject),
            [3] => Ok(Self::RequestMic),
            _ => Err(ParseError::BadValue(WHAT)),
        }
    }

    fn to_wire(self) -> u8 {
        match self {
            Self::AcceptCompleted => 0,
            Self::AcceptIncomplete => 1,
            Self::Reject => 2,
            Self::RequestMic => 3,
        }
    }
}

/// Every further token, in both directions: NegTokenResp, RFC 4178 4.2.2.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NegTokenResp {
    /// negState; servers always send it, clients mostly do not.
    pub state: Option<NegState>,
    /// supportedMech: the server's choice, in its first reply.
    pub mechanism: Option<Mechanism>,
    /// responseToken: the next token of the mechanism.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub response_token: Option<Bytes>,
    /// mechListMIC.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub mech_list_mic: Option<Bytes>,
}

/// One SPNEGO token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Token {
    /// The first of either side.
    Init(NegTokenInit),
    /// A further one.
    Resp(NegTokenResp),
}

impl Token {
    /// Reads one token. Bytes after it are ignored, as are fields that later versions may add.
    ///
    /// A token that is neither (a raw NTLMSSP message, say) is [`ParseError::BadStructure`].
    pub fn parse(input: &Bytes) -> Result<Self, ParseError> {
        if input.len() > MAX_TOKEN_LEN {
            return Err(ParseError::TooMany(WHAT));
        }
        let mut d = Der(input.clone());
        match d.peek() {
            Some(tag::INITIAL_CONTEXT_TOKEN) => {
                let mut d = d.enter(tag::INITIAL_CONTEXT_TOKEN)?;
                if d.value(tag::OID)? != OID_SPNEGO {
                    return Err(ParseError::BadStructure(WHAT));
                }
                let fields = d.enter(tag::context(0))?.enter(tag::SEQUENCE)?;
                NegTokenInit::read(fields).map(Self::Init)
            }
            Some(RESP) => {
                let fields = d.enter(RESP)?.enter(tag::SEQUENCE)?;
                NegTokenResp::read(fields).map(Self::Resp)
            }
            Some(_) => Err(ParseError::BadStructure(WHAT)),
            None => Err(ParseError::Truncated(WHAT)),
        }
    }

    /// Appends the token.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            Self::Init(t) => t.encode(w),
            Self::Resp(t) => t.encode(w),
        }
    }
}

impl NegTokenInit {
    /// The token that a server puts into its NEGOTIATE response ([MS-SPNG] 3.2.5.2).
    #[must_use]
    pub fn from_server(mechanisms: Vec<Mechanism>) -> Self {
        Self {
            mechanisms: MechanismList::new(mechanisms),
            mech_token: None,
            hints: Some(NegHints {
                hint_name: Some(Bytes::from_static(HINT_NAME)),
                hint_address: None,
            }),
            mech_list_mic: None,
        }
    }

    fn read(mut fields: Der) -> Result<Self, ParseError> {
        let mut token = Self::default();
        while let Some((number, mut d)) = fields.next_field()? {
            match (number, d.peek()) {
                (0, _) => token.mechanisms = MechanismList::read(&mut d)?,
                (2, _) => token.mech_token = Some(d.value(tag::OCTET_STRING)?),
                (3, Some(tag::SEQUENCE)) => token.hints = Some(NegHints::read(&mut d)?),
                (3 | 4, _) => token.mech_list_mic = Some(d.value(tag::OCTET_STRING)?),
                // reqFlags, and what later versions may add.
                (_, _) => {}
            }
        }
        Ok(token)
    }

    /// Appends the token with its GSS-API framing (RFC 4178 4.2).
    pub fn encode(&self, w: &mut Writer) {
        let mut fields = Vec::new();
        if !self.mechanisms.der.is_empty() {
            fields.extend(tlv(tag::context(0), &self.mechanisms.der));
        }
        if let Some(token) = &self.mech_token {
            fields.extend(field(2, tag::OCTET_STRING, token));
        }
        let mut mic_field = 3;
        if let Some(hints) = &self.hints {
            mic_field = 4;
            let mut inner = Vec::new();
            if let Some(name) = &hints.hint_name {
                inner.extend(field(0, tag::GENERAL_STRING, name));
            }
            if let Some(address) = &hints.hint_address {
                inner.extend(field(1, tag::OCTET_STRING, address));
            }
            fields.extend(field(3, tag::SEQUENCE, &inner));
        }
        if let Some(mic) = &self.mech_list_mic {
            fields.extend(field(mic_field, tag::OCTET_STRING, mic));
        }
        let mut body = tlv(tag::OID, OID_SPNEGO);
        body.extend(field(0, tag::SEQUENCE, &fields));
        w.bytes(&tlv(tag::INITIAL_CONTEXT_TOKEN, &body));
    }
}

impl NegHints {
    fn read(d: &mut Der) -> Result<Self, ParseError> {
        let mut fields = d.enter(tag::SEQUENCE)?;
        let mut hints = Self::default();
        while let Some((number, mut d)) = fields.next_field()? {
            match number {
                0 => hints.hint_name = Some(d.value(tag::GENERAL_STRING)?),
                1 => hints.hint_address = Some(d.value(tag::OCTET_STRING)?),
                _ => {}
            }
        }
        Ok(hints)
    }
}

impl NegTokenResp {
    fn read(mut fields: Der) -> Result<Self, ParseError> {
        let mut token = Self::default();
        while let Some((number, mut d)) = fields.next_field()? {
            match number {
                0 => token.state = Some(NegState::from_wire(&d.value(tag::ENUMERATED)?)?),
                1 => token.mechanism = Some(Mechanism::from_oid(d.value(tag::OID)?)?),
                2 => token.response_token = Some(d.value(tag::OCTET_STRING)?),
                3 => token.mech_list_mic = Some(d.value(tag::OCTET_STRING)?),
                _ => {}
            }
        }
        Ok(token)
    }

    /// Appends the token.
    pub fn encode(&self, w: &mut Writer) {
        let mut fields = Vec::new();
        if let Some(state) = self.state {
            fields.extend(field(0, tag::ENUMERATED, &[state.to_wire()]));
        }
        if let Some(mechanism) = &self.mechanism {
            fields.extend(field(1, tag::OID, mechanism.oid()));
        }
        if let Some(token) = &self.response_token {
            fields.extend(field(2, tag::OCTET_STRING, token));
        }
        if let Some(mic) = &self.mech_list_mic {
            fields.extend(field(3, tag::OCTET_STRING, mic));
        }
        w.bytes(&tlv(RESP, &tlv(tag::SEQUENCE, &fields)));
    }
}

/// The tag of NegTokenResp in NegotiationToken.
const RESP: u8 = tag::context(1);

/// The identifier octets of DER that occur here; all tag numbers are below 31.
mod tag {
    pub(super) const OCTET_STRING: u8 = 0x04;
    pub(super) const OID: u8 = 0x06;
    pub(super) const ENUMERATED: u8 = 0x0a;
    pub(super) const GENERAL_STRING: u8 = 0x1b;
    pub(super) const SEQUENCE: u8 = 0x30;
    /// `[APPLICATION 0] IMPLICIT SEQUENCE`, RFC 2743 3.1.
    pub(super) const INITIAL_CONTEXT_TOKEN: u8 = 0x60;

    /// An explicit context tag.
    pub(super) const fn context(number: u8) -> u8 {
        0xa0 | number
    }
}

/// What is left to read of one constructed value. Depth needs no bound of its own: each level is
/// entered by name, never by recursion.
#[derive(Debug, Clone)]
struct Der(Bytes);

impl Der {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Takes one element: its tag and its value.
    fn element(&mut self) -> Result<(u8, Bytes), ParseError> {
        let truncated = ParseError::Truncated(WHAT);
        let (&tag, rest) = self.0.split_first().ok_or(truncated)?;
        let (&first, rest) = rest.split_first().ok_or(truncated)?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Long form; four bytes of length are more than any token needs. Leading zeros are
            // not DER, but harmless, and some clients write lengths in a fixed width.
            0x81..=0x84 => {
                let (digits, rest) = rest
                    .split_at_checked(usize::from(first & 0x7f))
                    .ok_or(truncated)?;
                let len = digits
                    .iter()
                    .fold(0usize, |n, &d| n.wrapping_shl(8) | usize::from(d));
                (len, rest)
            }
            _ => return Err(ParseError::BadValue(WHAT)),
        };
        let (value, rest) = rest.split_at_checked(len).ok_or(truncated)?;
        let (value, rest) = (self.0.slice_ref(value), self.0.slice_ref(rest));
        self.0 = rest;
        Ok((tag, value))
    }

    /// Takes one element, which must have this tag, and answers its value.
    fn value(&mut self, tag: u8) -> Result<Bytes, ParseError> {
        match self.element()? {
            (found, value) if found == tag => Ok(value),
            _ => Err(ParseError::BadStructure(WHAT)),
        }
    }

    /// Takes one element, which must have this tag, and answers a reader of what is in it.
    fn enter(&mut self, tag: u8) -> Result<Self, ParseError> {
        self.value(tag).map(Self)
    }

    /// Takes the next `[n]` of a sequence: its number and a reader of what is in it. Fields must
    /// come in ascending order, each at most once.
    fn next_field(&mut self) -> Result<Option<(u8, Self)>, ParseError> {
        if self.is_empty() {
            return Ok(None);
        }
        let (tag, value) = self.element()?;
        if tag & 0xe0 != 0xa0 || self.peek().is_some_and(|next| next <= tag) {
            return Err(ParseError::BadStructure(WHAT));
        }
        Ok(Some((tag & 0x1f, Self(value))))
    }

    /// The bytes between here and `later`, a reader of the same value that is further on.
    fn bytes_until(&mut self, later: &Self) -> Result<Bytes, ParseError> {
        let len = self.0.len().saturating_sub(later.0.len());
        if len > self.0.len() {
            return Err(ParseError::Truncated(WHAT));
        }
        Ok(self.0.split_to(len))
    }
}

/// One element of DER.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(value.len()) {
        Ok(short @ 0..=0x7f) => out.push(short),
        _ => {
            let all = value.len().to_be_bytes();
            let zeros = all.iter().take_while(|&&d| d == 0).count();
            let digits = all.get(zeros..).unwrap_or(&[]);
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
            out.extend(digits);
        }
    }
    out.extend(value);
    out
}

/// One element inside an explicit context tag.
fn field(number: u8, tag: u8, value: &[u8]) -> Vec<u8> {
    tlv(tag::context(number), &tlv(tag, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Bytes {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    fn encoded(token: &Token) -> Bytes {
        let mut w = Writer::new();
        token.encode(&mut w);
        w.into_inner().freeze()
    }

    /// As a Windows Server's NEGOTIATE response has it (capture of `net user /domain`).
    const WINDOWS_SERVER_INIT: &str = "607606062b0601050502a06c306aa03c303a060a2b06010401823702021e\
        06092a864882f71201020206092a864886f712010202060a2a864886f71201020203060a2b060104018237\
        02020aa32a3028a0261b246e6f745f646566696e65645f696e5f5246433431373840706c656173655f6967\
        6e6f7265";

    #[test]
    fn server_init_of_windows() {
        let wire = hex(WINDOWS_SERVER_INIT);
        let token = Token::parse(&wire).unwrap();
        let user_to_user = Bytes::from_static(&[42, 0x86, 72, 0x86, 0xf7, 18, 1, 2, 2, 3]);
        assert_eq!(
            token,
            Token::Init(NegTokenInit::from_server(vec![
                Mechanism::NegoEx,
                Mechanism::MsKerberos,
                Mechanism::Kerberos,
                Mechanism::Other(user_to_user),
                Mechanism::Ntlmssp,
            ]))
        );
        assert_eq!(encoded(&token), wire);
    }

    #[test]
    fn client_init_keeps_the_list_as_it_came() {
        // The first SESSION_SETUP of smbclient, its NTLMSSP message cut to the signature.
        let wire = hex(
            "602a06062b0601050502a020301ea00e300c060a2b06010401823702020aa20c040a4e544c4d535350000100",
        );
        let Token::Init(init) = Token::parse(&wire).unwrap() else {
            panic!("not an Init")
        };
        assert_eq!(init.mechanisms.mechanisms(), [Mechanism::Ntlmssp]);
        assert_eq!(init.mechanisms.der(), &hex("300c060a2b06010401823702020a"));
        assert_eq!(init.mech_token.as_deref(), Some(&b"NTLMSSP\0\x01\0"[..]));
        assert_eq!(encoded(&Token::Init(init)), wire);

        // The same list with a length in long form stays in long form.
        let wire = hex("601e06062b0601050502a0143012a0103082000c060a2b06010401823702020a");
        let Token::Init(init) = Token::parse(&wire).unwrap() else {
            panic!("not an Init")
        };
        assert_eq!(
            init.mechanisms.der(),
            &hex("3082000c060a2b06010401823702020a")
        );
        assert_eq!(encoded(&Token::Init(init)), wire);
    }

    #[test]
    fn last_response_of_a_server() {
        let wire = hex("a11b3019a0030a0100a31204100100000051112b92f9167f5500000000");
        let token = Token::parse(&wire).unwrap();
        assert_eq!(
            token,
            Token::Resp(NegTokenResp {
                state: Some(NegState::AcceptCompleted),
                mech_list_mic: Some(hex("0100000051112b92f9167f5500000000")),
                ..NegTokenResp::default()
            })
        );
        assert_eq!(encoded(&token), wire);
    }

    #[test]
    fn field_three_is_told_apart_by_its_tag() {
        let list = MechanismList::new(vec![Mechanism::Kerberos]);
        for hints in [None, Some(NegHints::default())] {
            let token = Token::Init(NegTokenInit {
                mechanisms: list.clone(),
                mech_token: None,
                hints,
                mech_list_mic: Some(Bytes::from_static(b"mic")),
            });
            assert_eq!(Token::parse(&encoded(&token)), Ok(token));
        }
    }

    #[test]
    fn refusals() {
        let parse = |text: &str| Token::parse(&hex(text)).unwrap_err();
        // A raw NTLMSSP message, another mechanism's token, a wrong inner tag.
        assert_eq!(parse("4e544c4d"), ParseError::BadStructure(WHAT));
        assert_eq!(parse("600406022a03"), ParseError::BadStructure(WHAT));
        assert_eq!(parse("a1073005a0030401ff"), ParseError::BadStructure(WHAT));
        // Indefinite length, five bytes of length, a length beyond the input.
        assert_eq!(parse("a18030000000"), ParseError::BadValue(WHAT));
        assert_eq!(parse("a1850000000002"), ParseError::BadValue(WHAT));
        assert_eq!(parse("a184ffffffff3000"), ParseError::Truncated(WHAT));
        // negState twice, and fields out of order.
        assert_eq!(
            parse("a10c300aa0030a0101a0030a0101"),
            ParseError::BadStructure(WHAT)
        );
        assert_eq!(
            parse("a10c300aa203040100a0030a0101"),
            ParseError::BadStructure(WHAT)
        );
        // An unknown state.
        assert_eq!(parse("a1073005a0030a0104"), ParseError::BadValue(WHAT));
        let many = MechanismList::new(vec![Mechanism::Ntlmssp; MAX_MECHANISMS + 1]);
        let many = Token::Init(NegTokenInit {
            mechanisms: many,
            ..NegTokenInit::default()
        });
        assert_eq!(
            Token::parse(&encoded(&many)),
            Err(ParseError::TooMany(WHAT))
        );
        assert_eq!(
            Token::parse(&vec![0; MAX_TOKEN_LEN + 1].into()),
            Err(ParseError::TooMany(WHAT))
        );
    }

    fn mechanism() -> impl Strategy<Value = Mechanism> {
        prop_oneof![
            Just(Mechanism::Ntlmssp),
            Just(Mechanism::Kerberos),
            Just(Mechanism::MsKerberos),
            Just(Mechanism::NegoEx),
            prop::collection::vec(0u8..0x80, 1..8).prop_map(|v| Mechanism::Other(v.into())),
        ]
    }

    fn blob() -> impl Strategy<Value = Option<Bytes>> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from))
    }

    fn token() -> impl Strategy<Value = Token> {
        let hints = (blob(), blob()).prop_map(|(hint_name, hint_address)| NegHints {
            hint_name,
            hint_address,
        });
        let init = (
            prop::collection::vec(mechanism(), 0..5),
            blob(),
            prop::option::of(hints),
            blob(),
        )
            .prop_map(|(list, mech_token, hints, mech_list_mic)| {
                Token::Init(NegTokenInit {
                    mechanisms: MechanismList::new(list),
                    mech_token,
                    hints,
                    mech_list_mic,
                })
            });
        let resp = (
            prop::option::of(0u8..4),
            prop::option::of(mechanism()),
            blob(),
            blob(),
        )
            .prop_map(|(state, mechanism, response_token, mech_list_mic)| {
                Token::Resp(NegTokenResp {
                    state: state.map(|s| NegState::from_wire(&[s]).unwrap()),
                    mechanism,
                    response_token,
                    mech_list_mic,
                })
            });
        prop_oneof![init, resp]
    }

    proptest! {
        #[test]
        fn round_trips_and_is_refused_when_cut(token in token()) {
            let wire = encoded(&token);
            prop_assert_eq!(Token::parse(&wire), Ok(token));
            for n in 0..wire.len() {
                prop_assert!(Token::parse(&wire.slice(..n)).is_err());
            }
        }

        #[test]
        fn any_change_of_a_byte_is_survived(token in token(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut wire = encoded(&token).to_vec();
            let at = at.index(wire.len());
            wire[at] = to;
            if let Ok(again) = Token::parse(&wire.into()) {
                prop_assert_eq!(Token::parse(&encoded(&again)), Ok(again));
            }
        }
    }
}
