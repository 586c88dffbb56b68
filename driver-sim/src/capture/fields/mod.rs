//! All fields of a message as JSON, with what is nested in its buffers: create contexts,
//! information by class, directory listings, security descriptors, FSCTL structures, tokens of
//! SPNEGO and NTLM, RPC on pipes.
//!
//! A buffer whose content is known is replaced by it, one that cannot be read by its bytes and the
//! reason. Data of files are shortened; the message itself has them whole.

mod information;
mod ioctl;
mod rpc;
mod token;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use smb_proto::create_ctx::{RawContext, RequestContext, ResponseContext};
use smb_proto::msg::error::{ErrorContext, ErrorData, ShareRedirect, SymbolicLink};
use smb_proto::msg::{Request, Response, create};
use smb_proto::{NtStatus, ParseError};

use super::{Body, Content, Direction, Gap, Message, Other, Signature};

/// Bytes of file data that are shown.
const DATA_SHOWN: usize = 64;

/// A structure as JSON.
fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_else(|e| json!({ "error": e.to_string() }))
}

/// What was parsed, or the bytes and why not.
fn parsed(result: Result<impl Serialize, ParseError>, raw: &[u8]) -> Value {
    match result {
        Ok(v) => value(&v),
        Err(e) => unreadable(raw, &e),
    }
}

fn unreadable(raw: &[u8], error: &ParseError) -> Value {
    json!({ "error": error.to_string(), "bytes": hex(raw) })
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

/// Data of a file: all of it if there is little, else its beginning.
fn data(bytes: &[u8]) -> Value {
    match bytes.get(..DATA_SHOWN) {
        Some(start) if bytes.len() > DATA_SHOWN => {
            json!({ "length": bytes.len(), "start": hex(start) })
        }
        Some(_) | None => json!(hex(bytes)),
    }
}

/// Replaces a field.
fn put(object: &mut Value, name: &str, new: Value) {
    if let Value::Object(map) = object {
        map.insert(name.to_owned(), new);
    }
}

/// All fields of a message.
#[must_use]
pub fn fields(message: &Message) -> Value {
    let mut map = Map::new();
    let mut add = |name: &str, value: Value| map.insert(name.to_owned(), value);
    add("number", json!(message.number));
    add("time", json!(message.time.as_secs_f64()));
    add("direction", json!(direction(message.direction)));
    add("frames", json!([message.frames.0, message.frames.1]));
    add("command", json!(super::command(message)));
    if message.direction == Direction::ToClient {
        add("status", value(&message.header.status));
        add("request", json!(message.request));
    }
    if message.compound.count > 1 {
        let c = message.compound;
        add("compound", json!({ "index": c.index, "count": c.count }));
    }
    add("sealed", json!(message.sealed));
    add("compressed", json!(message.compressed));
    add(
        "signature",
        json!(match message.signature {
            Signature::Unsigned => "none",
            Signature::Good => "good",
            Signature::Bad => "bad",
            Signature::Unknown => "unknown",
        }),
    );
    add("length", json!(message.raw.len() as u64 + message.missing));
    if message.missing > 0 {
        add("missing", json!(message.missing));
    }
    let r = &message.resolved;
    add(
        "resolved",
        json!({
            "session": value(&r.session),
            "tree": value(&r.tree),
            "file": r.file.as_ref().map(value),
            "create": r.create,
            "name": r.name.as_deref(),
            "share": r.share.as_deref(),
        }),
    );
    add("header", header(message));
    match body(message) {
        Ok(body) => add("body", body),
        Err(e) => add("error", json!(e.to_string())),
    };
    Value::Object(map)
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "request",
        Direction::ToClient => "response",
    }
}

/// The header, in a request with ChannelSequence in place of the status.
fn header(message: &Message) -> Value {
    let mut header = value(&message.header);
    if message.direction == Direction::ToServer {
        if let Value::Object(map) = &mut header {
            map.remove("status");
        }
        let sequence = message.header.channel_sequence();
        put(&mut header, "channel_sequence", json!(sequence));
    }
    header
}

/// The fields of the body alone.
///
/// # Errors
/// Why the body cannot be read.
pub fn body(message: &Message) -> Result<Value, ParseError> {
    let pipe = message
        .resolved
        .share
        .as_deref()
        .is_some_and(|s| s.to_uppercase().ends_with("\\IPC$"));
    match &message.body {
        Ok(Body::Request(r)) => Ok(request(r, pipe)),
        Ok(Body::Response(r)) => {
            let status = message.header.status;
            Ok(response(r, message.asked.as_deref(), status, pipe))
        }
        Err(e) => Err(*e),
    }
}

/// The content of an enumeration's only field.
fn inner(of: &impl Serialize) -> Value {
    match value(of) {
        Value::Object(map) if map.len() == 1 => map.into_iter().next().map(|(_, v)| v),
        other => Some(other),
    }
    .unwrap_or(Value::Null)
}

/// The fields of a request. `pipe`: the tree connect is one of IPC$.
#[must_use]
pub fn request(request: &Request, pipe: bool) -> Value {
    match request {
        // File data are long: they are not made JSON only to be thrown away.
        Request::Write(r) => {
            let mut short = r.clone();
            short.data = Bytes::new();
            let mut v = value(&short);
            put(&mut v, "data", payload(&r.data, pipe));
            return v;
        }
        Request::Negotiate(_)
        | Request::SessionSetup(_)
        | Request::Logoff(_)
        | Request::TreeConnect(_)
        | Request::TreeDisconnect(_)
        | Request::Create(_)
        | Request::Close(_)
        | Request::Flush(_)
        | Request::Read(_)
        | Request::Lock(_)
        | Request::Ioctl(_)
        | Request::Cancel(_)
        | Request::Echo(_)
        | Request::QueryDirectory(_)
        | Request::ChangeNotify(_)
        | Request::QueryInfo(_)
        | Request::SetInfo(_)
        | Request::OplockBreak(_) => {}
    }
    let mut v = inner(request);
    match request {
        Request::Negotiate(r) => put(&mut v, "dialects", dialects(&r.dialects)),
        Request::SessionSetup(r) => {
            put(&mut v, "security_buffer", token::token(&r.security_buffer));
        }
        Request::Create(r) => {
            let disposition = create::CreateDisposition::from_raw(r.create_disposition);
            if let Some(d) = disposition {
                put(&mut v, "create_disposition", value(&d));
            }
            put(&mut v, "contexts", contexts(&r.contexts, request_context));
        }
        Request::Ioctl(r) => put(&mut v, "input", ioctl::input(r)),
        Request::QueryDirectory(r) => {
            put(
                &mut v,
                "file_information_class",
                information::file_class(r.file_information_class),
            );
        }
        Request::QueryInfo(r) => {
            information::class(&mut v, r.info_type, r.file_info_class);
            put(&mut v, "input", information::question(r));
        }
        Request::SetInfo(r) => {
            information::class(&mut v, r.info_type, r.file_info_class);
            let content = information::content(r.info_type, r.file_info_class, &r.buffer);
            put(&mut v, "buffer", content);
        }
        Request::Write(_)
        | Request::Logoff(_)
        | Request::TreeConnect(_)
        | Request::TreeDisconnect(_)
        | Request::Close(_)
        | Request::Flush(_)
        | Request::Read(_)
        | Request::Lock(_)
        | Request::Cancel(_)
        | Request::Echo(_)
        | Request::ChangeNotify(_)
        | Request::OplockBreak(_) => {}
    }
    v
}

/// The fields of a response. `asked` is what it answers, `pipe`: the tree connect is one of IPC$.
#[must_use]
pub fn response(
    response: &Response,
    asked: Option<&Request>,
    status: NtStatus,
    pipe: bool,
) -> Value {
    if let Response::Read(r) = response {
        let mut short = r.clone();
        short.data = Bytes::new();
        let mut v = value(&short);
        put(&mut v, "data", payload(&r.data, pipe));
        return v;
    }
    let mut v = inner(response);
    match response {
        Response::Negotiate(r) => {
            put(&mut v, "dialect_revision", dialect(r.dialect_revision));
            put(&mut v, "security_buffer", token::token(&r.security_buffer));
        }
        Response::SessionSetup(r) => {
            put(&mut v, "security_buffer", token::token(&r.security_buffer));
        }
        Response::Create(r) => {
            put(&mut v, "contexts", contexts(&r.contexts, response_context));
        }
        Response::Ioctl(r) => put(&mut v, "output", ioctl::output(r)),
        Response::QueryDirectory(r) => {
            if let Some(Request::QueryDirectory(q)) = asked {
                let entries = information::listing(q.file_information_class, &r.output);
                put(&mut v, "output", entries);
            }
        }
        Response::ChangeNotify(r) => {
            let changes = smb_proto::info::notify::parse(&r.output);
            put(&mut v, "output", parsed(changes, &r.output));
        }
        Response::QueryInfo(r) => {
            if let Some(Request::QueryInfo(q)) = asked {
                let content = information::content(q.info_type, q.file_info_class, &r.output);
                put(&mut v, "output", content);
            }
        }
        Response::Error(r) => put(&mut v, "data", error_data(&r.data, status)),
        Response::Read(_)
        | Response::Logoff(_)
        | Response::TreeConnect(_)
        | Response::TreeDisconnect(_)
        | Response::Close(_)
        | Response::Flush(_)
        | Response::Write(_)
        | Response::Lock(_)
        | Response::Echo(_)
        | Response::SetInfo(_)
        | Response::OplockBreak(_) => {}
    }
    v
}

/// Data of READ and WRITE.
fn payload(bytes: &Bytes, pipe: bool) -> Value {
    if pipe && let Some(pdus) = rpc::pdus(bytes) {
        return pdus;
    }
    data(bytes)
}

fn dialect(code: u16) -> Value {
    match smb_proto::Dialect::from_code(code) {
        Some(d) => value(&d),
        None => json!(format!("{code:#06x}")),
    }
}

fn dialects(codes: &[u16]) -> Value {
    codes.iter().map(|c| dialect(*c)).collect()
}

/// Create contexts by name.
fn contexts(list: &[RawContext], known: fn(&RawContext) -> Value) -> Value {
    list.iter()
        .map(|raw| {
            let name = if raw.name.iter().all(u8::is_ascii_graphic) {
                String::from_utf8_lossy(&raw.name).into_owned()
            } else {
                hex(&raw.name)
            };
            json!({ "name": name, "data": known(raw) })
        })
        .collect()
}

fn request_context(raw: &RawContext) -> Value {
    match RequestContext::parse(raw) {
        Ok(Some(RequestContext::Ea(ea))) => information::eas(&ea.list),
        Ok(Some(RequestContext::Sd(sd))) => information::descriptor(&sd.descriptor),
        Ok(Some(known)) => inner(&known),
        Ok(None) => json!(hex(&raw.data)),
        Err(e) => unreadable(&raw.data, &e),
    }
}

fn response_context(raw: &RawContext) -> Value {
    match ResponseContext::parse(raw) {
        Ok(Some(known)) => inner(&known),
        Ok(None) => json!(hex(&raw.data)),
        Err(e) => unreadable(&raw.data, &e),
    }
}

/// ErrorData, [MS-SMB2] 2.2.2.2: what it is follows from the status.
fn error_data(data: &ErrorData, status: NtStatus) -> Value {
    let plain = |bytes: &Bytes| {
        if bytes.is_empty() {
            return Value::Null;
        }
        match status {
            NtStatus::STOPPED_ON_SYMLINK => parsed(SymbolicLink::parse(bytes), bytes),
            NtStatus::BUFFER_TOO_SMALL => match <[u8; 4]>::try_from(&bytes[..]) {
                Ok(size) => json!({ "required": u32::from_le_bytes(size) }),
                Err(_) => json!(hex(bytes)),
            },
            _ => json!(hex(bytes)),
        }
    };
    match data {
        ErrorData::Plain(bytes) => plain(bytes),
        ErrorData::Contexts(list) => list
            .iter()
            .map(|c| match c.error_id {
                ErrorContext::SHARE_REDIRECT => parsed(ShareRedirect::parse(&c.data), &c.data),
                _ => plain(&c.data),
            })
            .collect(),
    }
}

/// A frame that is no readable message.
#[must_use]
pub fn other_fields(other: &Other) -> Value {
    let mut v = json!({
        "time": other.time.as_secs_f64(),
        "direction": direction(other.direction),
        "frames": [other.frames.0, other.frames.1],
        "length": other.raw.len(),
        "what": super::other_line(other),
    });
    match &other.content {
        Content::Smb1Negotiate(dialects) => put(&mut v, "dialects", json!(dialects)),
        Content::Sealed(header) => put(&mut v, "transform", value(header)),
        Content::Smb1 { .. }
        | Content::Compressed(_)
        | Content::NetBios(_)
        | Content::Unreadable(_) => {}
    }
    v
}

/// A gap.
#[must_use]
pub fn gap_fields(gap: &Gap) -> Value {
    json!({
        "direction": direction(gap.direction),
        "missing": gap.len,
        "cause": gap.cause.text(),
        "frame": gap.frame,
    })
}
