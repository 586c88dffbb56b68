//! Messages in one line each.

use std::fmt::Write;

use bytes::Bytes;
use smb_proto::header::{HeaderFlags, Route};
use smb_proto::id::{FileId, MessageId};
use smb_proto::info::{FileInfoClass, FsInfoClass, InfoType};
use smb_proto::msg::create::{self, CreateAction, CreateDisposition};
use smb_proto::msg::negotiate_context::{CompressionAlgorithm, NegotiateContext};
use smb_proto::msg::tree_connect::ShareType;
use smb_proto::msg::{OplockLevel, Request, Response, negotiate, oplock_break};
use smb_proto::ntlm::{AuthenticateMessage, ChallengeMessage, MessageType};
use smb_proto::spnego::{Mechanism, NegState, Token};
use smb_proto::{Dialect, NtStatus};

use super::{Body, Content, Direction, Message, Other, Signature};

/// Control characters of names would disturb the listing.
fn clean(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let plain = (!c.is_control()).then_some(c);
            let escaped = plain.is_none().then(|| c.escape_default());
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

/// Names of flags without the bars that bitflags puts between them.
fn flags(text: String) -> String {
    text.replace(" | ", "+")
}

/// What a message says beside its header: names, sizes, what is asked for.
#[must_use]
pub fn summary(message: &Message) -> String {
    let mut out = String::new();
    let name = message.resolved.name.as_deref().map(clean);
    match &message.body {
        Ok(Body::Request(request)) => self::request(&mut out, request, name.as_deref()),
        Ok(Body::Response(response)) => {
            self::response(&mut out, message, response, name.as_deref())
        }
        Err(error) => {
            if message.missing > 0 {
                let _ = write!(out, "{} bytes are not in the capture", message.missing);
            } else {
                let _ = write!(out, "cannot be read: {error}");
            }
            if let Some(name) = name {
                let _ = write!(out, " {}", quoted(&name));
            }
        }
    }
    out.trim().to_owned()
}

fn quoted(name: &str) -> String {
    if name.is_empty() {
        "\"\" (the root)".to_owned()
    } else {
        format!("\"{name}\"")
    }
}

fn request(out: &mut String, request: &Request, name: Option<&str>) {
    let file = name.map_or_else(String::new, quoted);
    let _ = match request {
        Request::Negotiate(r) => write!(out, "{}", negotiate_request(r)),
        Request::SessionSetup(r) => {
            let mut text = token(&r.security_buffer);
            if !r.flags.is_empty() {
                let _ = write!(text, " {}", flags(bits(&r.flags)));
            }
            if r.previous_session_id.0 != 0 {
                let _ = write!(text, " previous session {}", r.previous_session_id);
            }
            write!(out, "{text}")
        }
        Request::TreeConnect(r) => write!(out, "{}", clean(&r.path)),
        Request::Create(r) => write!(
            out,
            "{} {} access {:#010x} share {}{}{}{}",
            quoted(&clean(&r.name)),
            disposition(r.create_disposition),
            r.desired_access.bits(),
            share(r.share_access),
            options(r),
            oplock(r.requested_oplock_level),
            contexts(r.contexts.iter().map(|c| &c.name)),
        ),
        Request::Close(r) => write!(
            out,
            "{file}{}",
            if r.flags.is_empty() {
                ""
            } else {
                " with attributes"
            }
        ),
        Request::Flush(_) => write!(out, "{file}"),
        Request::Read(r) => write!(out, "{file} {} bytes at {}", r.length, r.offset),
        Request::Write(r) => write!(out, "{file} {} bytes at {}", r.data.len(), r.offset),
        Request::Lock(r) => {
            let _ = write!(out, "{file}");
            for lock in r.locks.iter().take(4) {
                let _ = write!(
                    out,
                    " {} {}+{}",
                    flags(bits(&lock.flags)),
                    lock.offset,
                    lock.length
                );
            }
            match r.locks.len().saturating_sub(4) {
                0 => Ok(()),
                more => write!(out, " and {more} more"),
            }
        }
        Request::Ioctl(r) => {
            write!(
                out,
                "{file} {} in {} max out {}",
                r.ctl_code,
                r.input.len(),
                r.max_output_response
            )
        }
        Request::QueryDirectory(r) => write!(
            out,
            "{file} \"{}\" {}{}",
            clean(&r.file_name),
            FileInfoClass::from_code(r.file_information_class).map_or_else(
                || format!("class {}", r.file_information_class),
                |c| c.name().into()
            ),
            if r.flags.is_empty() {
                String::new()
            } else {
                format!(" {}", flags(bits(&r.flags)))
            },
        ),
        Request::ChangeNotify(r) => write!(
            out,
            "{file} {}{}",
            flags(bits(&r.completion_filter)),
            if r.flags.is_empty() { "" } else { " tree" }
        ),
        Request::QueryInfo(r) => {
            write!(
                out,
                "{file} {}",
                class(r.info_type, r.file_info_class, r.additional_information)
            )
        }
        Request::SetInfo(r) => write!(
            out,
            "{file} {} {} bytes",
            class(r.info_type, r.file_info_class, r.additional_information),
            r.buffer.len()
        ),
        Request::OplockBreak(b) => write!(out, "{file} {}", break_text(b)),
        Request::Cancel(_) => write!(out, "{file}"),
        Request::Logoff(_) | Request::TreeDisconnect(_) | Request::Echo(_) => Ok(()),
    };
}

fn response(out: &mut String, message: &Message, response: &Response, name: Option<&str>) {
    let file = name.map_or_else(String::new, quoted);
    let _ = match response {
        Response::Negotiate(r) => write!(out, "{}", negotiate_response(r)),
        Response::SessionSetup(r) => {
            let mut text = token(&r.security_buffer);
            if !r.session_flags.is_empty() {
                let _ = write!(text, " {}", flags(bits(&r.session_flags)));
            }
            write!(out, "{text}")
        }
        Response::TreeConnect(r) => write!(
            out,
            "{} {}",
            message
                .resolved
                .share
                .as_deref()
                .map_or_else(String::new, clean),
            match r.share_type {
                ShareType::DISK => "disk",
                ShareType::PIPE => "pipes",
                ShareType::PRINT => "printer",
                _ => "unknown type",
            }
        ),
        Response::Create(r) => write!(
            out,
            "{file} {} {} bytes{}{}",
            match r.create_action {
                CreateAction::SUPERSEDED => "superseded",
                CreateAction::OPENED => "opened",
                CreateAction::CREATED => "created",
                CreateAction::OVERWRITTEN => "overwritten",
                CreateAction(_) => "done",
            },
            r.end_of_file,
            oplock(r.oplock_level),
            contexts(r.contexts.iter().map(|c| &c.name)),
        ),
        Response::Close(r) if !r.flags.is_empty() => write!(out, "{file} {} bytes", r.end_of_file),
        Response::Close(_) | Response::Flush(_) | Response::Lock(_) => write!(out, "{file}"),
        Response::Read(r) => write!(out, "{file} {} bytes", r.data.len()),
        Response::Write(r) => write!(out, "{file} {} bytes", r.count),
        Response::Ioctl(r) => write!(out, "{file} {} out {}", r.ctl_code, r.output.len()),
        Response::QueryDirectory(r) => write!(out, "{file} {} bytes", r.output.len()),
        Response::ChangeNotify(r) => write!(out, "{file} {} bytes", r.output.len()),
        Response::QueryInfo(r) => {
            let class = match message.asked.as_deref() {
                Some(Request::QueryInfo(q)) => {
                    class(q.info_type, q.file_info_class, q.additional_information)
                }
                Some(_) | None => String::new(),
            };
            write!(out, "{file} {class} {} bytes", r.output.len())
        }
        Response::OplockBreak(b) => write!(out, "{file} {}", break_text(b)),
        Response::Error(_) => write!(out, "{file}"),
        Response::SetInfo(_)
        | Response::Logoff(_)
        | Response::TreeDisconnect(_)
        | Response::Echo(_) => write!(out, "{file}"),
    };
}

/// Names of set bits.
fn bits<B: bitflags_names::Names>(value: &B) -> String {
    value.names()
}

/// The textual form that bitflags types have.
mod bitflags_names {
    pub(super) trait Names {
        fn names(&self) -> String;
    }

    macro_rules! names {
        ($($t:ty),* $(,)?) => {$(
            impl Names for $t {
                fn names(&self) -> String {
                    let mut names: Vec<String> =
                        self.iter_names().map(|(n, _)| n.to_owned()).collect();
                    let known = Self::all().iter_names().fold(0, |b, (_, f)| b | f.bits());
                    let rest = self.bits() & !known;
                    if rest != 0 {
                        names.push(format!("{rest:#x}"));
                    }
                    names.join("+")
                }
            }
        )*};
    }

    use smb_proto::create_ctx::LeaseState;
    use smb_proto::header::HeaderFlags;
    use smb_proto::msg::change_notify::CompletionFilter;
    use smb_proto::msg::create::CreateOptions;
    use smb_proto::msg::lock::LockFlags;
    use smb_proto::msg::negotiate::{GlobalCapabilities, SecurityMode};
    use smb_proto::msg::query_directory::QueryDirectoryFlags;
    use smb_proto::msg::session_setup::{SessionFlags, SetupFlags};

    names!(
        LeaseState,
        HeaderFlags,
        CompletionFilter,
        CreateOptions,
        LockFlags,
        GlobalCapabilities,
        SecurityMode,
        QueryDirectoryFlags,
        SessionFlags,
        SetupFlags,
    );
}

fn negotiate_request(r: &negotiate::Request) -> String {
    let dialects: Vec<String> = r.dialects.iter().map(|d| revision(*d)).collect();
    let mut text = format!("{} {}", dialects.join(" "), bits(&r.security_mode));
    for context in &r.contexts {
        algorithms(&mut text, context);
    }
    text
}

fn negotiate_response(r: &negotiate::Response) -> String {
    let mut text = format!(
        "{} {}",
        revision(r.dialect_revision),
        bits(&r.security_mode)
    );
    for context in &r.contexts {
        algorithms(&mut text, context);
    }
    let _ = write!(text, " max {}", r.max_read_size);
    text
}

fn revision(code: u16) -> String {
    match Dialect::from_code(code) {
        Some(dialect) => dialect.to_string(),
        None => format!("{code:#06x}"),
    }
}

/// What a negotiate context offers or chooses.
fn algorithms(out: &mut String, context: &NegotiateContext) {
    let list = match context {
        NegotiateContext::Encryption(c) => c.known().map(|c| c.to_string()).collect(),
        NegotiateContext::Signing(c) => c.known().map(|c| c.to_string()).collect(),
        NegotiateContext::Compression(c) => c.known().map(compression).collect(),
        NegotiateContext::Posix(_) => vec!["POSIX".to_owned()],
        _ => Vec::new(),
    };
    if !list.is_empty() {
        let _ = write!(out, " {}", list.join(","));
    }
}

fn compression(algorithm: CompressionAlgorithm) -> String {
    match algorithm {
        CompressionAlgorithm::None => "no compression",
        CompressionAlgorithm::Lznt1 => "LZNT1",
        CompressionAlgorithm::Lz77 => "LZ77",
        CompressionAlgorithm::Lz77Huffman => "LZ77+Huffman",
        CompressionAlgorithm::PatternV1 => "Pattern_V1",
        CompressionAlgorithm::Lz4 => "LZ4",
    }
    .to_owned()
}

/// What an authentication token holds.
fn token(token: &Bytes) -> String {
    if token.is_empty() {
        return String::new();
    }
    if MessageType::of(token).is_ok() {
        return ntlm(token);
    }
    match Token::parse(token) {
        Ok(Token::Init(init)) => match (&init.mech_token, init.mechanisms.mechanisms().first()) {
            (Some(inner), _) if MessageType::of(inner).is_ok() => ntlm(inner),
            (_, Some(Mechanism::Kerberos | Mechanism::MsKerberos)) => "Kerberos".to_owned(),
            (_, first) => format!("SPNEGO {first:?}"),
        },
        Ok(Token::Resp(resp)) => match (&resp.response_token, resp.state) {
            (Some(inner), _) if MessageType::of(inner).is_ok() => ntlm(inner),
            (_, Some(NegState::AcceptCompleted)) => "accept-completed".to_owned(),
            (_, Some(NegState::AcceptIncomplete)) => "accept-incomplete".to_owned(),
            (_, Some(NegState::Reject)) => "reject".to_owned(),
            (_, Some(NegState::RequestMic)) => "request-mic".to_owned(),
            (Some(_), None) => "SPNEGO token".to_owned(),
            (None, None) => "SPNEGO".to_owned(),
        },
        Err(error) => format!("token cannot be read: {error}"),
    }
}

fn ntlm(message: &Bytes) -> String {
    match MessageType::of(message) {
        Ok(MessageType::Negotiate) => "NTLM NEGOTIATE".to_owned(),
        Ok(MessageType::Challenge) => match ChallengeMessage::parse(message) {
            Ok(c) => format!("NTLM CHALLENGE of {}", clean(&c.target_name)),
            Err(e) => format!("NTLM CHALLENGE cannot be read: {e}"),
        },
        Ok(MessageType::Authenticate) => match AuthenticateMessage::parse(message) {
            Ok(a) if a.is_anonymous() => "NTLM AUTHENTICATE anonymous".to_owned(),
            Ok(a) => format!("NTLM AUTHENTICATE {}\\{}", clean(&a.domain), clean(&a.user)),
            Err(e) => format!("NTLM AUTHENTICATE cannot be read: {e}"),
        },
        Err(e) => format!("NTLM cannot be read: {e}"),
    }
}

fn disposition(raw: u32) -> String {
    match CreateDisposition::from_raw(raw) {
        Some(CreateDisposition::Supersede) => "SUPERSEDE".to_owned(),
        Some(CreateDisposition::Open) => "OPEN".to_owned(),
        Some(CreateDisposition::Create) => "CREATE".to_owned(),
        Some(CreateDisposition::OpenIf) => "OPEN_IF".to_owned(),
        Some(CreateDisposition::Overwrite) => "OVERWRITE".to_owned(),
        Some(CreateDisposition::OverwriteIf) => "OVERWRITE_IF".to_owned(),
        None => format!("disposition {raw}"),
    }
}

fn share(access: create::ShareAccess) -> String {
    let mut text = String::new();
    for (bit, letter) in [
        (create::ShareAccess::READ, 'r'),
        (create::ShareAccess::WRITE, 'w'),
        (create::ShareAccess::DELETE, 'd'),
    ] {
        text.push(if access.contains(bit) { letter } else { '-' });
    }
    text
}

fn options(r: &create::Request) -> String {
    if r.create_options.is_empty() {
        String::new()
    } else {
        format!(" {}", bits(&r.create_options))
    }
}

fn oplock(level: OplockLevel) -> String {
    match level {
        OplockLevel::NONE => String::new(),
        OplockLevel::LEVEL_II => " oplock II".to_owned(),
        OplockLevel::EXCLUSIVE => " oplock exclusive".to_owned(),
        OplockLevel::BATCH => " oplock batch".to_owned(),
        OplockLevel::LEASE => " lease".to_owned(),
        OplockLevel(other) => format!(" oplock {other:#04x}"),
    }
}

fn contexts<'a>(names: impl Iterator<Item = &'a Bytes>) -> String {
    let names: Vec<String> = names
        .map(|name| {
            if name.len() == 4 {
                name.escape_ascii().to_string()
            } else {
                "GUID".to_owned()
            }
        })
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" [{}]", names.join(" "))
    }
}

/// The information class of a QUERY_INFO or SET_INFO.
fn class(info_type: u8, class: u8, additional: u32) -> String {
    let named = match InfoType::from_code(info_type) {
        Some(InfoType::File) => FileInfoClass::from_code(class).map(|c| c.name().to_owned()),
        Some(InfoType::FileSystem) => FsInfoClass::from_code(class).map(|c| c.name().to_owned()),
        Some(InfoType::Security) => Some(format!("security {additional:#x}")),
        Some(InfoType::Quota) => Some("quota".to_owned()),
        None => None,
    };
    named.unwrap_or_else(|| format!("type {info_type} class {class}"))
}

fn break_text(b: &oplock_break::Message) -> String {
    match b {
        oplock_break::Message::Oplock(b) => {
            let text = oplock(b.oplock_level);
            format!("to{}", if text.is_empty() { " none" } else { &text })
        }
        oplock_break::Message::LeaseNotification(b) => format!(
            "lease {} to {}{}",
            lease(b.current_lease_state),
            lease(b.new_lease_state),
            if b.flags.is_empty() {
                ""
            } else {
                ", acknowledgement required"
            }
        ),
        oplock_break::Message::LeaseAck(b) => format!("lease {}", lease(b.lease_state)),
    }
}

fn lease(state: smb_proto::create_ctx::LeaseState) -> String {
    if state.is_empty() {
        "none".to_owned()
    } else {
        bits(&state)
    }
}

/// Ids, length, credits and flags of a message.
#[must_use]
pub fn attributes(message: &Message) -> String {
    let header = &message.header;
    let mut out = String::new();
    let r = &message.resolved;
    if r.session.0 != 0 {
        let _ = write!(out, " s={}", r.session);
    }
    if r.tree.0 != 0 {
        let _ = write!(out, " t={}", r.tree);
    }
    if let Some(file) = r.file.filter(|f| *f != FileId::RELATED) {
        let _ = write!(out, " f={file}");
    }
    if let Route::Async(id) = header.route {
        let _ = write!(out, " async={id}");
    }
    let _ = write!(out, " len={}", message.raw.len() as u64 + message.missing);
    let _ = write!(out, " cr={}", header.credits);
    if header.credit_charge > 1 {
        let _ = write!(out, "/{}", header.credit_charge);
    }
    for (flag, name) in [
        (HeaderFlags::RELATED_OPERATIONS, "related"),
        (HeaderFlags::DFS_OPERATIONS, "dfs"),
        (HeaderFlags::REPLAY_OPERATION, "replay"),
    ] {
        if header.flags.contains(flag) {
            let _ = write!(out, " {name}");
        }
    }
    match message.signature {
        Signature::Unsigned => {}
        Signature::Good => out.push_str(" signed"),
        Signature::Bad => out.push_str(" BAD-SIGNATURE"),
        Signature::Unknown => out.push_str(" signed?"),
    }
    if message.sealed {
        out.push_str(" encrypted");
    }
    if message.compressed {
        out.push_str(" compressed");
    }
    out.trim_start().to_owned()
}

/// The command, with what kind of OPLOCK_BREAK it is.
#[must_use]
pub fn command(message: &Message) -> String {
    match message.header.command() {
        Some(command) if message.header.message_id == MessageId::UNSOLICITED => {
            format!("{command} notification")
        }
        Some(command) => command.to_string(),
        None => format!("command {:#06x}", message.header.command_code),
    }
}

/// The status of an answer; a success is not worth a word.
#[must_use]
pub fn status(message: &Message) -> String {
    match (message.direction, message.header.status) {
        (Direction::ToServer, _) | (Direction::ToClient, NtStatus::SUCCESS) => String::new(),
        (Direction::ToClient, status) => status.to_string(),
    }
}

/// A message in one line, without number and time.
#[must_use]
pub fn line(message: &Message) -> String {
    let mut out = command(message);
    if message.compound.count > 1 {
        let _ = write!(
            out,
            " {}/{}",
            message.compound.index + 1,
            message.compound.count
        );
    }
    for part in [status(message), summary(message), attributes(message)] {
        if !part.is_empty() {
            let _ = write!(out, "  {part}");
        }
    }
    out
}

/// A frame that is no readable message, in one line.
#[must_use]
pub fn other_line(other: &Other) -> String {
    match &other.content {
        Content::Smb1Negotiate(dialects) => {
            let dialects: Vec<String> = dialects
                .iter()
                .map(|d| format!("\"{}\"", clean(d)))
                .collect();
            format!("SMB1 NEGOTIATE  {}", dialects.join(" "))
        }
        Content::Smb1 { command, status } => {
            format!(
                "SMB1 {command}  {}  len={}",
                NtStatus(*status),
                other.raw.len()
            )
        }
        Content::Sealed(header) => format!(
            "encrypted  s={} len={}  no key opens it",
            header.session_id, header.original_message_size
        ),
        Content::Compressed(why) => {
            format!(
                "compressed  len={}  cannot be decompressed: {why}",
                other.raw.len()
            )
        }
        Content::NetBios(name) => format!("NetBIOS {name}"),
        Content::Unreadable(error) => format!("unreadable  len={}  {error}", other.raw.len()),
    }
}
