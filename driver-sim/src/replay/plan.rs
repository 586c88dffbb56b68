//! The server of a replay: configured as the captured one was, as far as the capture shows it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use smb_engine::config::{
    BackendId, Config, EncryptionPolicy, MapToGuest, Share, SigningPolicy, UserList,
};
use smb_engine::identity::{Account, Identity};
use smb_engine::names::{fold, same_name};
use smb_engine::vfs::Backend;
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::crypto::{Cipher, SigningAlgorithm};
use smb_proto::dtyp::{SecurityDescriptor, Sid};
use smb_proto::info::InfoType;
use smb_proto::msg::create::CreateAction;
use smb_proto::msg::negotiate::{GlobalCapabilities, SecurityMode};
use smb_proto::msg::negotiate_context::NegotiateContext;
use smb_proto::msg::session_setup::SessionFlags;
use smb_proto::msg::tree_connect::{ShareFlags, ShareType};
use smb_proto::msg::{Request, Response, negotiate};
use smb_proto::ntlm::{AvId, ChallengeMessage};
use smb_proto::spnego::Token;
use smb_proto::{Dialect, FileTime, NtStatus};

use super::build;
use super::names::share_name;
use super::tree::{self, Inference};
use super::{Options, ReplayError};
use crate::capture::{Conversation, Logon, Mechanism, Message, Proof};
use crate::memory::MemoryFs;

/// Password of accounts of which none is known.
pub(super) const MADE_UP: &str = "replayed";
/// Name of the account behind logons that name none (Kerberos).
pub(super) const NOBODY: &str = "replayed";

const DOMAIN: Sid = Sid::domain(1, 2, 3);

/// A server of the capture and what stands for it.
pub(super) struct Plan {
    /// Indices of its conversations.
    pub(super) conversations: Vec<usize>,
    pub(super) config: Config,
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) backends: Vec<Arc<MemoryFs>>,
    /// What was taken from the capture, one sentence each.
    pub(super) facts: Vec<String>,
}

/// Who serves which conversation: those whose servers have the same GUID and port are one server.
/// The ports of the two transports count as one; others tell relays from what they relay to.
pub(super) fn servers(conversations: &[Conversation]) -> Vec<Vec<usize>> {
    let port = |c: &Conversation| match c.server.port() {
        139 => 445,
        port => port,
    };
    let guid = |c: &Conversation| {
        c.negotiated
            .as_ref()
            .map(|n| format!("{:?}", n.server_guid))
    };
    let mut of_address: BTreeMap<IpAddr, String> = BTreeMap::new();
    for c in conversations {
        if let Some(guid) = guid(c) {
            of_address.entry(c.server.ip()).or_insert(guid);
        }
    }
    let mut by_key: BTreeMap<(String, u16), Vec<usize>> = BTreeMap::new();
    for (index, c) in conversations.iter().enumerate() {
        let known = guid(c).or_else(|| of_address.get(&c.server.ip()).cloned());
        let name = known.unwrap_or_else(|| c.server.ip().to_string());
        by_key.entry((name, port(c))).or_default().push(index);
    }
    let mut all: Vec<_> = by_key.into_values().collect();
    all.sort();
    all
}

/// What messages of a server's conversations say about it.
struct Seen<'a> {
    conversations: Vec<&'a Conversation>,
}

impl<'a> Seen<'a> {
    fn messages(&self) -> impl Iterator<Item = (&'a Conversation, &'a Message)> + '_ {
        self.conversations
            .iter()
            .flat_map(|c| c.messages.iter().map(move |m| (*c, m)))
    }

    fn responses(
        &self,
    ) -> impl Iterator<Item = (Option<&'a Message>, &'a Message, &'a Response)> + '_ {
        self.messages()
            .filter_map(|(c, m)| Some((c.request_of(m), m, m.as_response()?)))
    }

    fn negotiate(&self) -> Vec<(Option<&'a negotiate::Request>, &'a negotiate::Response)> {
        self.responses()
            .filter_map(|(request, _, response)| match response {
                Response::Negotiate(n) => {
                    let asked = request.and_then(Message::as_request);
                    let asked = asked.and_then(|r| match r {
                        Request::Negotiate(r) => Some(r),
                        _ => None,
                    });
                    Some((asked, n))
                }
                _ => None,
            })
            .collect()
    }

    fn logons(&self) -> impl Iterator<Item = &'a Logon> + '_ {
        self.conversations.iter().flat_map(|c| c.logons.iter())
    }
}

/// Plans the server of these conversations.
pub(super) fn plan(
    all: &[Conversation],
    conversations: Vec<usize>,
    options: &Options,
) -> Result<Plan, ReplayError> {
    let seen = Seen {
        conversations: conversations.iter().filter_map(|i| all.get(*i)).collect(),
    };
    let start = seen.conversations.iter().map(|c| c.time).min();
    let wall = wall(start.unwrap_or_default());
    let mut facts = Vec::new();
    let mut config = Config::new("SIM", DOMAIN, Vec::new());
    config.started = wall;
    limits(&mut config);
    negotiated(&mut config, &seen, &mut facts);
    names(&mut config, &seen, &mut facts);
    let accounts = accounts(&mut config, &seen, &mut facts);
    let backends = shares(&mut config, &seen, options, wall, &mut facts)?;
    Ok(Plan {
        conversations,
        config,
        accounts,
        backends,
        facts,
    })
}

/// A time since 1970 as the engine has it.
pub(super) fn wall(time: Duration) -> FileTime {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(0);
    FileTime::from_unix(seconds, time.subsec_nanos())
}

/// Nothing that depends on how long the capture took is to end a connection.
fn limits(config: &mut Config) {
    let l = &mut config.limits;
    l.unauthenticated_for = Duration::from_secs(1 << 30);
    l.idle_for = Duration::ZERO;
    l.max_connections = 1 << 20;
    l.max_connections_per_ip = 1 << 20;
    l.max_sessions = 1 << 20;
    l.max_opens = 1 << 20;
    // Captured servers answer at once that something takes longer, or after a time nobody knows.
    l.interim_after = Duration::ZERO;
}

fn negotiated(config: &mut Config, seen: &Seen<'_>, facts: &mut Vec<String>) {
    let answers = seen.negotiate();
    let dialects = answers
        .iter()
        .filter_map(|(_, n)| Dialect::from_code(n.dialect_revision));
    if let Some(max) = dialects.max() {
        config.max_dialect = max;
        facts.push(format!("highest dialect {max}"));
    }
    if let Some((_, first)) = answers.first() {
        config.server_guid = first.server_guid;
    }
    if let Some(time) = answers.iter().map(|(_, n)| n.server_start_time).max() {
        config.started = time;
    }
    let offered = |what| answers.iter().any(|(_, n)| n.capabilities.contains(what));
    config.multichannel = offered(GlobalCapabilities::MULTI_CHANNEL);
    config.leases = offered(GlobalCapabilities::LEASING);
    config.directory_leases = offered(GlobalCapabilities::DIRECTORY_LEASING);
    config.durable_handles = true;
    let signing = answers
        .iter()
        .any(|(_, n)| n.security_mode.contains(SecurityMode::SIGNING_REQUIRED));
    if signing {
        config.signing = SigningPolicy::Required;
        facts.push("signing required".to_owned());
    }
    // Sizes below 64 KiB are those of a server that has no multi-credit requests.
    let largest = |size: fn(&negotiate::Response) -> u32| {
        let sizes = answers.iter().map(|(_, n)| size(n));
        sizes.max().filter(|s| *s > 65_536).map(|s| s.min(16 << 20))
    };
    let l = &mut config.limits;
    l.max_transact = largest(|n| n.max_transact_size).unwrap_or(l.max_transact);
    l.max_read = largest(|n| n.max_read_size).unwrap_or(l.max_read);
    l.max_write = largest(|n| n.max_write_size).unwrap_or(l.max_write);
    algorithms(config, &answers, facts);
}

/// What the server chose comes first; what was offered and never chosen last; with offers and no
/// choice there is none.
fn algorithms(
    config: &mut Config,
    answers: &[(Option<&negotiate::Request>, &negotiate::Response)],
    facts: &mut Vec<String>,
) {
    let mut ciphers: Vec<Cipher> = Vec::new();
    let mut signing: Vec<SigningAlgorithm> = Vec::new();
    let (mut cipher_offered, mut signing_offered) = (false, false);
    let mut by_offer: Vec<_> = answers.iter().collect();
    // Who had the longest list shows most of the server's preference.
    by_offer.sort_by_key(|(request, _)| {
        std::cmp::Reverse(request.map_or(0, |r| {
            r.contexts
                .iter()
                .map(|c| match c {
                    NegotiateContext::Encryption(e) => e.ciphers.len(),
                    NegotiateContext::Signing(s) => s.algorithms.len(),
                    _ => 0,
                })
                .sum::<usize>()
        }))
    });
    for (request, response) in by_offer {
        for context in request.iter().flat_map(|r| &r.contexts) {
            cipher_offered |= matches!(context, NegotiateContext::Encryption(_));
            signing_offered |= matches!(context, NegotiateContext::Signing(_));
        }
        for context in &response.contexts {
            match context {
                NegotiateContext::Encryption(e) => {
                    ciphers.extend(e.ciphers.iter().filter_map(|c| Cipher::from_code(*c)));
                }
                NegotiateContext::Signing(s) => {
                    let known = s.algorithms.iter();
                    signing.extend(known.filter_map(|a| SigningAlgorithm::from_code(*a)));
                }
                _ => {}
            }
        }
    }
    let encryption = answers
        .iter()
        .any(|(_, n)| n.capabilities.contains(GlobalCapabilities::ENCRYPTION));
    if cipher_offered && ciphers.is_empty() && !encryption {
        config.encryption = EncryptionPolicy::Off;
        facts.push("no encryption".to_owned());
    } else if !ciphers.is_empty() {
        ciphers.extend(&config.ciphers);
        config.ciphers = dedup(ciphers);
    }
    if signing_offered && signing.is_empty() {
        config.signing_algorithms = Vec::new();
        facts.push("no choice of signing algorithms".to_owned());
    } else if !signing.is_empty() {
        signing.extend(&config.signing_algorithms);
        config.signing_algorithms = dedup(signing);
    }
}

fn dedup<T: PartialEq + Copy>(list: Vec<T>) -> Vec<T> {
    let mut out = Vec::new();
    for item in list {
        if !out.contains(&item) {
            out.push(item);
        }
    }
    out
}

/// The names that the server gave itself in NTLM's challenge.
fn names(config: &mut Config, seen: &Seen<'_>, facts: &mut Vec<String>) {
    let challenge = seen.responses().find_map(|(_, _, r)| match r {
        Response::SessionSetup(r) => challenge(&r.security_buffer),
        _ => None,
    });
    let Some(pairs) = challenge.and_then(|c| c.target_info) else {
        return;
    };
    if let Some(name) = pairs.text(AvId::NB_COMPUTER_NAME) {
        config.server_name = name.to_uppercase();
        facts.push(format!("server name {name}"));
    }
    if let Some(name) = pairs.text(AvId::NB_DOMAIN_NAME)
        && !same_name(&name, &config.server_name)
    {
        config.workgroup = name;
    }
}

/// The CHALLENGE_MESSAGE in a token of the server.
fn challenge(token: &bytes::Bytes) -> Option<ChallengeMessage> {
    let inner = match Token::parse(token) {
        Ok(Token::Resp(r)) => r.response_token?,
        _ => token.clone(),
    };
    ChallengeMessage::parse(&inner).ok()
}

/// Everybody who logged on and became himself has an account.
fn accounts(
    config: &mut Config,
    seen: &Seen<'_>,
    facts: &mut Vec<String>,
) -> BTreeMap<String, Account> {
    let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
    let mut made_up = Vec::new();
    for logon in seen.logons() {
        if logon.guest && !logon.anonymous && !logon.user.is_empty() {
            config.map_to_guest = MapToGuest::BadUser;
            continue;
        }
        if logon.mechanism == Mechanism::Anonymous || logon.anonymous {
            let refused = [NtStatus::ACCESS_DENIED, NtStatus::LOGON_FAILURE];
            if logon.status.is_some_and(|s| refused.contains(&s)) {
                config.refuse_anonymous = true;
            }
            continue;
        }
        let open_end = logon
            .status
            .is_none_or(|s| s == NtStatus::MORE_PROCESSING_REQUIRED);
        if logon.status != Some(NtStatus::SUCCESS) && !open_end {
            continue;
        }
        let user = account_name(logon);
        let hash = match &logon.proof {
            Proof::Password(password) => NtHash::of_password(password),
            Proof::NtHash(hash) => NtHash::from_bytes(*hash),
            Proof::None | Proof::Wrong | Proof::SessionKey => {
                if accounts.contains_key(&fold(user)) {
                    continue;
                }
                made_up.push(user.to_owned());
                NtHash::of_password(MADE_UP)
            }
        };
        let rid = 1000 + u32::try_from(accounts.len()).unwrap_or(0);
        let sid = owner(seen, logon).or_else(|| config.domain_sid.with_rid(rid));
        let identity = Identity {
            domain: config.server_name.clone(),
            ..Identity::user(user, sid.unwrap_or(Sid::NULL))
        };
        let account = Account {
            nt_hash: hash,
            identity,
        };
        accounts.insert(fold(user), account);
    }
    made_up.sort();
    made_up.dedup();
    if !made_up.is_empty() {
        let names = made_up.join(", ");
        facts.push(format!("made-up password for {names}"));
    }
    accounts
}

/// Who the captured server says owns a file that the user of this logon has made.
fn owner(seen: &Seen<'_>, logon: &Logon) -> Option<Sid> {
    seen.messages().find_map(|(c, answer)| {
        let request = c.request_of(answer)?;
        let Request::QueryInfo(asked) = request.as_request()? else {
            return None;
        };
        let Response::QueryInfo(info) = answer.as_response()? else {
            return None;
        };
        let security = InfoType::from_code(asked.info_type) == Some(InfoType::Security);
        if !security || request.resolved.session != logon.session {
            return None;
        }
        let made = c.answer_of(c.messages.get(request.resolved.create?)?)?;
        let Response::Create(made) = made.as_response()? else {
            return None;
        };
        let owner = SecurityDescriptor::parse(&info.output).ok()?.owner?;
        (made.create_action == CreateAction::CREATED).then_some(owner)
    })
}

/// The account that a logon is replayed with.
pub(super) fn account_name(logon: &Logon) -> &str {
    if logon.user.is_empty() {
        NOBODY
    } else {
        &logon.user
    }
}

/// Every share that somebody connected to, with a file system of its own.
fn shares(
    config: &mut Config,
    seen: &Seen<'_>,
    options: &Options,
    now: FileTime,
    facts: &mut Vec<String>,
) -> Result<Vec<Arc<MemoryFs>>, ReplayError> {
    let known = Inference::run(&seen.conversations);
    let mut backends = Vec::new();
    let encrypted_sessions = seen.responses().any(|(_, _, r)| {
        matches!(r, Response::SessionSetup(s) if s.session_flags.contains(SessionFlags::ENCRYPT_DATA))
    });
    if encrypted_sessions {
        config.encryption = EncryptionPolicy::Desired;
    }
    for (request, answer, path) in tree_connects(seen) {
        let name = share_name(path);
        let at = config.shares.iter().position(|s| same_name(&s.name, name));
        let response = match answer.as_response() {
            Some(Response::TreeConnect(r)) => Some(r),
            _ => None,
        };
        let refused = answer.header.status == NtStatus::ACCESS_DENIED;
        if response.is_none() && !refused
            || response.is_some_and(|r| r.share_type != ShareType::DISK)
            || name.eq_ignore_ascii_case("IPC$")
        {
            continue;
        }
        let at = match at {
            Some(at) => at,
            None => {
                let number = u32::try_from(backends.len()).unwrap_or(u32::MAX);
                let fs = file_system(&known, name, options, number, now, facts)?;
                let mut share = Share::new(name, BackendId(number), fs.capabilities());
                if let Some(fs_name) = known.get(&fold(name)).and_then(|s| s.file_system.clone()) {
                    share.file_system = fs_name;
                }
                // Nobody, until somebody got in.
                share.valid_users = nobody();
                backends.push(Arc::new(fs));
                config.shares.push(share);
                config.shares.len() - 1
            }
        };
        let Some(share) = config.shares.get_mut(at) else {
            continue;
        };
        if let Some(r) = response {
            if share.valid_users == nobody() {
                share.valid_users = UserList::default();
            }
            if r.share_flags.contains(ShareFlags::ENCRYPT_DATA) {
                share.encryption = EncryptionPolicy::Required;
            }
            // FILE_WRITE_DATA, FILE_APPEND_DATA
            share.read_only |= r.maximal_access & 0x6 == 0;
            let session = request.resolved.session;
            share.guest_ok |= seen
                .logons()
                .any(|l| l.session == session && unprivileged(l));
        }
    }
    Ok(backends)
}

/// Whoever comes in without an account.
fn unprivileged(logon: &Logon) -> bool {
    logon.guest || logon.anonymous || logon.mechanism == Mechanism::Anonymous
}

fn nobody() -> UserList {
    UserList {
        users: vec![String::from("\u{0}")],
        groups: Vec::new(),
    }
}

fn tree_connects<'a>(seen: &Seen<'a>) -> Vec<(&'a Message, &'a Message, &'a str)> {
    seen.messages()
        .filter_map(|(c, answer)| {
            let request = c.request_of(answer)?;
            match request.as_request()? {
                Request::TreeConnect(r) if !answer.is_interim() => {
                    Some((request, answer, r.path.as_str()))
                }
                _ => None,
            }
        })
        .collect()
}

fn file_system(
    known: &BTreeMap<String, tree::Share>,
    name: &str,
    options: &Options,
    number: u32,
    now: FileTime,
    facts: &mut Vec<String>,
) -> Result<MemoryFs, ReplayError> {
    let volume = u64::from(number) + 1;
    if let Some(dir) = &options.tree {
        let dir: &Path = dir;
        facts.push(format!("share {name} from {}", dir.display()));
        return build::from_directory(dir, name, volume, now);
    }
    let share = known.get(&fold(name)).cloned().unwrap_or_default();
    let names = share.nodes.values().filter(|n| n.initial.is_some());
    facts.push(format!("share {name} with {} names", names.count()));
    Ok(build::from_capture(&share, volume, now))
}
