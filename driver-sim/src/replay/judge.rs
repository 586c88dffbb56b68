//! Answers beside answers: what differs, and what it is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use smb_proto::header::{HEADER_LEN, HeaderFlags, Route};
use smb_proto::id::{FileId, MessageId};
use smb_proto::info::dir::{DirClass, parse_list};
use smb_proto::msg::{Request, Response};
use smb_proto::{Command, NtStatus};

use super::Options;
use super::adapt::title;
use super::compare::{Pair, diff, flatten};
use super::plan::Plan;
use super::report::{ConversationReport, Difference, Exchange, Report, ServerReport};
use super::rules::{Class, Context};
use super::run::{Ended, Outcome, Slot};
use crate::capture::{Body, Conversation, Direction, End, Message, Signature, fields};
use crate::client::{Received, Signed};

/// Longest text of a value in a report, in characters; the rest is cut.
const VALUE_MAX: usize = 4096;

/// What a plan says about its server.
pub(super) fn server(all: &[Conversation], plan: &Plan) -> ServerReport {
    let mut addresses: Vec<String> = plan
        .conversations
        .iter()
        .filter_map(|i| all.get(*i))
        .map(|c| c.server.to_string())
        .collect();
    addresses.sort();
    addresses.dedup();
    ServerReport {
        addresses,
        conversations: plan.conversations.clone(),
        facts: plan.facts.clone(),
        broken: Vec::new(),
    }
}

/// Judges everything that a replay with one server gave.
pub(super) fn judge(
    all: &[Conversation],
    mut server: ServerReport,
    outcome: Outcome,
    options: &Options,
    report: &mut Report,
) {
    server.broken = outcome.broken;
    let base = report.exchanges.len();
    let listings = listings(all, &outcome.slots);
    for (number, slot) in outcome.slots.iter().enumerate() {
        let Some(c) = all.get(slot.conversation) else {
            continue;
        };
        let judge = Judge {
            c,
            options,
            listings: &listings,
        };
        if let Some(mut exchange) = judge.slot(slot) {
            exchange.number = base + number;
            exchange.follows = slot.follows.map(|n| base + n);
            report.exchanges.push(exchange);
        }
    }
    let mut ended = outcome.ended;
    for index in &server.conversations {
        let Some(c) = all.get(*index) else { continue };
        let end = ended.remove(index).unwrap_or_default();
        let judge = Judge {
            c,
            options,
            listings: &listings,
        };
        for mut exchange in judge.end(&end) {
            exchange.number = report.exchanges.len();
            report.exchanges.push(exchange);
        }
        let dialect = c.negotiated.as_ref().map(|n| n.dialect.to_string());
        report.conversations.push(ConversationReport {
            number: *index,
            client: c.client.to_string(),
            server: c.server.to_string(),
            dialect,
            messages: c.messages.len(),
            requests: requests(c),
            stopped: end.stopped,
            notes: c.notes.clone(),
        });
    }
    report.servers.push(server);
}

fn requests(c: &Conversation) -> usize {
    let sent = |m: &&Message| m.direction == Direction::ToServer;
    c.messages.iter().filter(sent).count()
}

struct Judge<'a> {
    c: &'a Conversation,
    options: &'a Options,
    listings: &'a Listings,
}

/// The names that each open of a directory was told, by the captured server and by the engine.
type Listings = BTreeMap<(usize, FileId), [BTreeSet<String>; 2]>;

fn listings(all: &[Conversation], slots: &[Slot]) -> Listings {
    let mut out = Listings::new();
    for slot in slots {
        let Some(c) = all.get(slot.conversation) else {
            continue;
        };
        let Some(request) = c.messages.get(slot.message) else {
            continue;
        };
        let (Some(Request::QueryDirectory(asked)), Some(file)) =
            (request.as_request(), request.resolved.file)
        else {
            continue;
        };
        let Some(class) = DirClass::from_code(asked.file_information_class) else {
            continue;
        };
        let ours = slot
            .answer
            .as_ref()
            .and_then(|r| Response::parse(&r.header, &r.raw).ok());
        let theirs = c.answer_of(request).and_then(Message::as_response);
        let [captured, engine] = out.entry((slot.conversation, file)).or_default();
        for (response, names) in [(theirs, captured), (ours.as_ref(), engine)] {
            if let Some(Response::QueryDirectory(r)) = response {
                let list = parse_list(class, &r.output).unwrap_or_default();
                names.extend(list.into_iter().map(|e| e.name));
            }
        }
    }
    out
}

/// What is compared of one answer.
struct Compared {
    pairs: Vec<Pair>,
    captured: Option<Value>,
    engine: Option<Value>,
}

impl Judge<'_> {
    fn slot(&self, slot: &Slot) -> Option<Exchange> {
        let request = self.c.messages.get(slot.message)?;
        let command = command(request);
        let theirs = self.c.answer_of(request);
        let mut exchange = self.exchange(request, &command);
        exchange.message = Some(slot.message);
        exchange.notes.clone_from(&slot.notes);
        exchange.skipped.clone_from(&slot.skipped);
        exchange.status = theirs.map(|a| a.header.status.to_string());
        exchange.engine_status = slot.answer.as_ref().map(|a| a.header.status.to_string());
        if request.header.command() == Some(Command::Cancel) || slot.skipped.is_some() {
            return Some(exchange);
        }
        let mut compared = self.answers(request, theirs, slot.answer.as_ref());
        self.interims(request, slot, &mut compared.pairs);
        self.classify(&mut exchange, request, compared);
        Some(exchange)
    }

    fn exchange(&self, m: &Message, command: &str) -> Exchange {
        Exchange {
            conversation: self.c.number,
            frame: m.frames.0,
            time: m.time.as_secs_f64(),
            command: command.to_owned(),
            title: title(m),
            name: m.resolved.name.as_deref().unwrap_or("").to_owned(),
            ..Exchange::default()
        }
    }

    fn answers(
        &self,
        request: &Message,
        theirs: Option<&Message>,
        ours: Option<&Received>,
    ) -> Compared {
        let mut pairs = Vec::new();
        let (theirs, ours) = match (theirs, ours) {
            (Some(theirs), Some(ours)) => (theirs, ours),
            (None, None) => {
                return Compared {
                    pairs,
                    captured: None,
                    engine: None,
                };
            }
            (theirs, ours) => {
                let status = |s: Option<NtStatus>| s.map_or(Value::Null, |s| s.to_string().into());
                pairs.push(Pair {
                    field: "answer".to_owned(),
                    captured: status(theirs.map(|m| m.header.status)),
                    engine: status(ours.map(|r| r.header.status)),
                });
                let engine = ours.map(|r| as_message(r, request));
                return Compared {
                    pairs,
                    captured: theirs.map(|m| self.tree(m)),
                    engine: engine.map(|m| self.tree(&m)),
                };
            }
        };
        let engine = as_message(ours, theirs);
        headers(theirs, ours, &mut pairs);
        let same_status = theirs.header.status == ours.header.status;
        let same_kind = is_error(theirs) == is_error(&engine);
        let (mut captured_tree, mut engine_tree) = (None, None);
        if same_status && !same_kind {
            pairs.push(Pair {
                field: "body".to_owned(),
                captured: kind(theirs).into(),
                engine: kind(&engine).into(),
            });
        } else if same_kind
            && (same_status || !is_error(theirs))
            && theirs.raw.get(HEADER_LEN..) != engine.raw.get(HEADER_LEN..)
        {
            let (a, b) = (self.tree(theirs), self.tree(&engine));
            let body = |v: &Value| v.get("body").cloned().unwrap_or(Value::Null);
            let before = pairs.len();
            diff(&body(&a), &body(&b), "body", &mut pairs);
            if pairs.len() == before {
                pairs.push(hidden(theirs, &engine));
            }
            self.parts_of_listings(theirs, &mut pairs);
            captured_tree = Some(a);
            engine_tree = Some(b);
        }
        let wanted = !pairs.is_empty();
        Compared {
            captured: captured_tree.or_else(|| wanted.then(|| self.tree(theirs))),
            engine: engine_tree.or_else(|| wanted.then(|| self.tree(&engine))),
            pairs,
        }
    }

    /// A name that one side tells in another part of the same listing is not missing.
    fn parts_of_listings(&self, theirs: &Message, pairs: &mut [Pair]) {
        let file = theirs.resolved.file;
        let Some([captured, engine]) = file.and_then(|f| self.listings.get(&(self.c.number, f)))
        else {
            return;
        };
        for pair in pairs {
            let name = pair.field.strip_prefix("body.output[");
            let Some(name) = name.and_then(|n| n.strip_suffix(']')) else {
                continue;
            };
            let missing_there = pair.captured.is_null() && captured.contains(name);
            let missing_here = pair.engine.is_null() && engine.contains(name);
            if missing_there || missing_here {
                pair.field = "listing.part".to_owned();
            }
        }
    }

    fn tree(&self, m: &Message) -> Value {
        fields(m)
    }

    /// Interim answers, [MS-SMB2] 3.3.4.2.
    fn interims(&self, request: &Message, slot: &Slot, pairs: &mut Vec<Pair>) {
        let theirs = request.interim.is_some();
        let ours = slot.interim.is_some();
        if theirs != ours {
            let text = |there: bool| -> Value {
                if there {
                    "STATUS_PENDING".into()
                } else {
                    Value::Null
                }
            };
            pairs.push(Pair {
                field: "interim".to_owned(),
                captured: text(theirs),
                engine: text(ours),
            });
        }
    }

    /// Finds the rule for each difference.
    fn classify(&self, exchange: &mut Exchange, request: &Message, compared: Compared) {
        if compared.pairs.is_empty() {
            return;
        }
        let tree = self.tree(request);
        let mut flat = Vec::new();
        flatten(&tree, "", &mut flat);
        let mut answer = Vec::new();
        if let Some(captured) = &compared.captured {
            flatten(captured, "", &mut answer);
        }
        let dialect = self.c.negotiated.as_ref().map(|n| n.dialect.to_string());
        for pair in compared.pairs {
            let context = Context {
                capture: &self.options.name,
                dialect: dialect.as_deref().unwrap_or(""),
                command: &exchange.command,
                status: exchange.status.as_deref().unwrap_or(""),
                engine_status: exchange.engine_status.as_deref().unwrap_or(""),
                name: &exchange.name,
                request: &flat,
                answer: &answer,
                field: &pair.field,
                captured: &pair.captured,
                engine: &pair.engine,
            };
            let rule = self.options.rules.find(&context);
            exchange.differences.push(Difference {
                class: rule.map_or(Class::Divergence, |r| r.class),
                rule: rule.map(|r| r.id.clone()),
                reason: rule.map(|r| r.reason.clone()),
                field: pair.field,
                captured: shorten(pair.captured),
                engine: shorten(pair.engine),
            });
        }
        if exchange.class() > Some(Class::Expected) {
            exchange.request = Some(shown(tree, true));
            exchange.captured = compared.captured.map(|t| shown(t, false));
            exchange.engine = compared.engine.map(|t| shown(t, false));
        }
    }

    /// What concerns the connection and not one request.
    fn end(&self, end: &Ended) -> Vec<Exchange> {
        let mut out = Vec::new();
        if end.stopped.is_none() {
            self.unsolicited(end, &mut out);
        }
        let last = self.c.messages.last();
        if let (Some((why, after)), Some(last)) = (&end.closed, last) {
            let after = after.and_then(|n| self.c.messages.get(n)).unwrap_or(last);
            // The server of the capture has closed it as well, or nobody asked it anything more.
            let server_closed = matches!(
                self.c.end,
                End::Closed(Direction::ToClient) | End::Reset(Direction::ToClient)
            );
            let more = self
                .c
                .messages
                .iter()
                .skip(after.number + 1)
                .any(|m| m.direction == Direction::ToServer);
            let captured = match (server_closed, more) {
                (true, false) => "closed by the server",
                _ => "open",
            };
            let mut exchange = self.exchange(after, "connection");
            let pair = Pair {
                field: "connection".to_owned(),
                captured: captured.into(),
                engine: format!("closed: {why}").into(),
            };
            self.classify(&mut exchange, after, only(pair));
            out.push(exchange);
        }
        for fault in &end.faults {
            if let Some(m) = last {
                let mut exchange = self.exchange(m, "connection");
                let pair = Pair {
                    field: "fault".to_owned(),
                    captured: Value::Null,
                    engine: fault.clone().into(),
                };
                self.classify(&mut exchange, m, only(pair));
                out.push(exchange);
            }
        }
        out
    }

    /// Breaks, and answers to an SMB1 NEGOTIATE: matched in their order.
    fn unsolicited(&self, end: &Ended, out: &mut Vec<Exchange>) {
        let mut ours: Vec<&Received> = end.unsolicited.iter().collect();
        let theirs = self
            .c
            .messages
            .iter()
            .filter(|m| m.direction == Direction::ToClient && m.request.is_none());
        for m in theirs {
            let at = ours.iter().position(|r| {
                r.header.command_code == m.header.command_code
                    && (r.header.message_id == MessageId::UNSOLICITED)
                        == (m.header.message_id == MessageId::UNSOLICITED)
            });
            let ours = at.map(|at| ours.remove(at));
            let mut exchange = self.exchange(m, &command(m));
            exchange.status = Some(m.header.status.to_string());
            exchange.engine_status = ours.map(|r| r.header.status.to_string());
            let compared = self.answers(m, Some(m), ours);
            self.classify(&mut exchange, m, compared);
            out.push(exchange);
        }
        for received in ours {
            let Some(last) = self.c.messages.last() else {
                return;
            };
            let engine = as_message(received, last);
            let mut exchange = self.exchange(&engine, &command(&engine));
            exchange.engine_status = Some(received.header.status.to_string());
            let compared = self.answers(&engine, None, Some(received));
            self.classify(&mut exchange, &engine, compared);
            out.push(exchange);
        }
    }
}

/// A difference in bytes that the decoded form does not show: long data, padding, order.
fn hidden(theirs: &Message, ours: &Message) -> Pair {
    let body = |m: &Message| m.raw.slice(HEADER_LEN.min(m.raw.len())..);
    let (a, b) = (body(theirs), body(ours));
    let at = a.iter().zip(&b).position(|(x, y)| x != y);
    let at = at.unwrap_or_else(|| a.len().min(b.len()));
    let text = |bytes: &[u8]| -> Value {
        let rest = bytes.get(at..).unwrap_or(&[]);
        let shown = rest.get(..16).unwrap_or(rest);
        let hex: String = shown.iter().map(|b| format!("{b:02x}")).collect();
        format!("{} bytes, at {at}: {hex}", bytes.len()).into()
    };
    // What lies behind the decoded part of both is padding.
    let padding = at >= a.len().min(b.len());
    Pair {
        field: if padding { "padding" } else { "data" }.to_owned(),
        captured: text(&a),
        engine: text(&b),
    }
}

fn only(pair: Pair) -> Compared {
    Compared {
        pairs: vec![pair],
        captured: None,
        engine: None,
    }
}

fn command(m: &Message) -> String {
    match m.header.command() {
        Some(command) => command.name().to_owned(),
        None => format!("{:#06x}", m.header.command_code),
    }
}

fn is_error(m: &Message) -> bool {
    matches!(m.body, Ok(Body::Response(Response::Error(_))))
}

fn kind(m: &Message) -> &'static str {
    match &m.body {
        Ok(Body::Response(Response::Error(_))) => "ERROR response",
        Ok(_) => "response of the command",
        Err(_) => "unreadable",
    }
}

/// An answer of the engine in the form of a captured one.
fn as_message(received: &Received, like: &Message) -> Message {
    let body = Response::parse(&received.header, &received.raw).map(Body::Response);
    Message {
        direction: Direction::ToClient,
        header: received.header,
        body,
        raw: received.raw.clone(),
        missing: 0,
        sealed: received.sealed.is_some(),
        compressed: false,
        signature: match received.signed {
            Signed::No => Signature::Unsigned,
            Signed::Good => Signature::Good,
            Signed::Bad => Signature::Bad,
            Signed::NoKey => Signature::Unknown,
        },
        ..like.clone()
    }
}

/// Headers; ids are the replay's own, and only those that a request was answered with come here.
fn headers(theirs: &Message, ours: &Received, pairs: &mut Vec<Pair>) {
    let (a, b) = (&theirs.header, &ours.header);
    let mut push = |field: &str, captured: Value, engine: Value| {
        if captured != engine {
            pairs.push(Pair {
                field: field.to_owned(),
                captured,
                engine,
            });
        }
    };
    push(
        "header.status",
        a.status.to_string().into(),
        b.status.to_string().into(),
    );
    push(
        "header.command",
        a.command_code.into(),
        b.command_code.into(),
    );
    push("header.credits", a.credits.into(), b.credits.into());
    push(
        "header.credit_charge",
        a.credit_charge.into(),
        b.credit_charge.into(),
    );
    let signed = HeaderFlags::SIGNED;
    push("sealed", theirs.sealed.into(), ours.sealed.is_some().into());
    // Encryption takes the place of signatures; some servers put one there all the same.
    if !theirs.sealed || ours.sealed.is_none() {
        push(
            "header.signed",
            a.flags.contains(signed).into(),
            b.flags.contains(signed).into(),
        );
    }
    if ours.signed == Signed::Bad {
        push("signature", "good".into(), "bad".into());
    }
    // Whether it was asynchronous says the interim answer.
    let rest = |flags: HeaderFlags| (flags - signed - HeaderFlags::ASYNC_COMMAND).bits();
    push("header.flags", rest(a.flags).into(), rest(b.flags).into());
    push(
        "header.session_id",
        present(a.session_id.0).into(),
        present(b.session_id.0).into(),
    );
    if let (Route::Sync { tree_id: a, .. }, Route::Sync { tree_id: b, .. }) = (a.route, b.route) {
        push(
            "header.tree_id",
            present(u64::from(a.0)).into(),
            present(u64::from(b.0)).into(),
        );
    }
}

/// Ids differ; whether there is one does not.
fn present(id: u64) -> &'static str {
    match id {
        0 => "zero",
        u64::MAX => "all ones",
        _ => "given",
    }
}

/// What a report shows of a message: not where it lies in the capture, and of an answer not what the
/// request has said already.
fn shown(tree: Value, request: bool) -> Value {
    let Value::Object(map) = tree else {
        return shorten(tree);
    };
    let keep = |key: &str| match key {
        "header" | "body" | "error" | "sealed" | "compressed" | "signature" => true,
        "resolved" => request,
        _ => false,
    };
    let kept = map.into_iter().filter(|(key, _)| keep(key));
    kept.map(|(key, value)| (key, shorten(value))).collect()
}

/// Cuts what is long in a value: file contents, mostly.
fn shorten(value: Value) -> Value {
    match value {
        Value::String(s) if s.len() > VALUE_MAX => {
            let head: String = s.chars().take(VALUE_MAX / 16).collect();
            format!("{head}… ({} characters)", s.chars().count()).into()
        }
        Value::Array(list) => list.into_iter().map(shorten).collect(),
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, shorten(v))).collect(),
        other => other,
    }
}
