use std::collections::BTreeMap;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use driver_sim::capture::{
    Conversation, Direction, End, Event, Gap, Message, Options, Other, Proof, Reader, Secrets,
    Start, Transport, fields, gap_fields, line, other_fields, other_line,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use smb_proto::Command;

/// Lists the SMB messages of a capture.
///
/// One line for each message: number, time since the start of the connection, direction, command,
/// status, names, ids, length, credits (granted or asked for, after a slash the charge), flags.
/// `signed` means that the signature was checked and is right, `signed?` that the key is not known.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The capture, pcap or pcapng
    file: PathBuf,
    #[command(flatten)]
    input: Input,
    /// Only these conversations, by their number
    #[arg(short, long, value_name = "N")]
    conversation: Vec<usize>,
    /// Only messages of these commands, for example CREATE
    #[arg(long, value_name = "COMMAND", value_parser = command_by_name)]
    command: Vec<Command>,
    /// All fields of each message
    #[arg(short, long)]
    verbose: bool,
    /// One JSON object a line for each message
    #[arg(long)]
    json: bool,
}

/// How a capture is to be read.
#[derive(clap::Args)]
pub(crate) struct Input {
    /// Take this TCP port for one of SMB as well as 445 and 139
    #[arg(long, value_name = "PORT")]
    port: Vec<u16>,
    /// Password of a user, for what they encrypt and sign: USER:PASSWORD or DOMAIN\USER:PASSWORD
    #[arg(long, value_name = "USER:PASSWORD")]
    password: Vec<String>,
    /// NT hash of a user in hexadecimal digits
    #[arg(long, value_name = "USER:HASH")]
    nt_hash: Vec<String>,
    /// Key of a session in hexadecimal digits, or an entry of Wireshark's smb2_seskey_list:
    /// SESSION,KEY,S2C-KEY,C2S-KEY
    #[arg(long, value_name = "SESSION:KEY")]
    session_key: Vec<String>,
}

impl Input {
    /// As the library wants it.
    pub(crate) fn options(&self) -> anyhow::Result<Options> {
        let mut secrets = Secrets::default();
        for text in &self.password {
            secrets.add_password(text).context("--password")?;
        }
        for text in &self.nt_hash {
            secrets.add_nt_hash(text).context("--nt-hash")?;
        }
        for text in &self.session_key {
            secrets.add_session_key(text).context("--session-key")?;
        }
        let mut options = Options {
            secrets,
            ..Options::default()
        };
        options.ports.extend(&self.port);
        Ok(options)
    }
}

fn command_by_name(text: &str) -> Result<Command, String> {
    let wanted = text.to_uppercase().replace('-', "_");
    let found = Command::ALL.iter().find(|c| c.name() == wanted).copied();
    found.ok_or_else(|| {
        let names: Vec<&str> = Command::ALL.iter().map(|c| c.name()).collect();
        format!("no such command; there are {}", names.join(", "))
    })
}

/// A bar on a terminal, nothing elsewhere.
pub(crate) fn progress(len: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(len);
    if let Ok(style) = ProgressStyle::with_template("reading {bar:40} {bytes}/{total_bytes} {eta}")
    {
        bar.set_style(style);
    }
    bar
}

/// What is kept of a conversation until it is printed.
#[derive(Default)]
struct Lines {
    text: Vec<u8>,
}

/// Text kept before it is printed out of order of the conversations.
const KEPT_MAX: usize = 256 << 20;

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let options = args.input.options()?;
    let name = args.file.display();
    let file = std::fs::File::open(&args.file).with_context(|| format!("{name}"))?;
    let len = file.metadata().map_or(0, |m| m.len());
    let mut reader = Reader::new(file, &options).with_context(|| format!("{name}"))?;
    let bar = progress(len);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut kept: BTreeMap<usize, Lines> = BTreeMap::new();
    let mut size = 0;
    let mut count = 0u64;
    while let Some(event) = reader.next_event() {
        count += 1;
        if count.is_multiple_of(1024) {
            bar.set_position(reader.bytes_read());
        }
        let (Event::Message(number, _) | Event::Other(number, _) | Event::Gap(number, _)) = &event;
        let number = *number;
        if !args.conversation.is_empty() && !args.conversation.contains(&number) {
            continue;
        }
        let Some(conversation) = reader.conversations().get(number) else {
            continue;
        };
        let lines = kept.entry(number).or_default();
        let before = lines.text.len();
        match event {
            Event::Message(_, message) => args.message(lines, conversation, &message)?,
            Event::Other(_, other) if args.command.is_empty() => {
                args.other(lines, conversation, &other)?;
            }
            Event::Gap(_, gap) if args.command.is_empty() => args.gap(lines, conversation, &gap)?,
            Event::Other(..) | Event::Gap(..) => {}
        }
        size += lines.text.len() - before;
        if size > KEPT_MAX {
            for lines in kept.values_mut() {
                out.write_all(&std::mem::take(&mut lines.text))?;
            }
            size = 0;
        }
    }
    bar.finish_and_clear();
    let checked = reader.check();
    if checked.is_ok() {
        for conversation in reader.conversations() {
            let wanted =
                args.conversation.is_empty() || args.conversation.contains(&conversation.number);
            let lines = kept.remove(&conversation.number);
            let nothing =
                lines.is_none() && conversation.notes.iter().any(|n| n.contains("no SMB"));
            if wanted && !nothing {
                if !args.json {
                    head(&mut out, conversation)?;
                }
                out.write_all(&lines.unwrap_or_default().text)?;
            }
        }
    }
    out.flush()?;
    for note in reader.notes() {
        eprintln!("smb-sim: {name}: {note}");
    }
    if let Err(error) = checked {
        bail!("{name}: {error}");
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn message(
        &self,
        lines: &mut Lines,
        conversation: &Conversation,
        message: &Message,
    ) -> anyhow::Result<()> {
        if !self.command.is_empty()
            && !message
                .header
                .command()
                .is_some_and(|c| self.command.contains(&c))
        {
            return Ok(());
        }
        let (time, arrow) = (since(conversation, message.time), arrow(message.direction));
        if self.json {
            return json(lines, conversation, fields(message));
        }
        writeln!(
            lines.text,
            "{:>5} {time:>11} {arrow} #{:<4} {}",
            message.number,
            mid(message),
            line(message)
        )?;
        if self.verbose {
            let mut all = fields(message);
            if let Value::Object(map) = &mut all {
                // The line has these.
                for name in ["number", "time", "direction", "command", "request"] {
                    map.shift_remove(name);
                }
            }
            outline(&mut lines.text, &all, 12)?;
        }
        Ok(())
    }

    fn other(
        &self,
        lines: &mut Lines,
        conversation: &Conversation,
        other: &Other,
    ) -> anyhow::Result<()> {
        if self.json {
            return json(lines, conversation, other_fields(other));
        }
        let (time, arrow) = (since(conversation, other.time), arrow(other.direction));
        writeln!(
            lines.text,
            "{:>5} {time:>11} {arrow} {:<5} {}",
            "",
            "",
            other_line(other)
        )?;
        Ok(())
    }

    fn gap(&self, lines: &mut Lines, of: &Conversation, gap: &Gap) -> anyhow::Result<()> {
        if self.json {
            return json(lines, of, gap_fields(gap));
        }
        let arrow = arrow(gap.direction);
        writeln!(
            lines.text,
            "{:>5} {:>11} {arrow} {:<5} {} bytes {} (packet {})",
            "",
            "",
            "",
            gap.len,
            gap.cause.text(),
            gap.frame
        )?;
        Ok(())
    }
}

/// One line of JSON, which begins with the number of the conversation.
fn json(lines: &mut Lines, conversation: &Conversation, value: Value) -> anyhow::Result<()> {
    let mut map = serde_json::Map::new();
    map.insert("conversation".to_owned(), conversation.number.into());
    if let Value::Object(rest) = value {
        map.extend(rest);
    }
    serde_json::to_writer(&mut lines.text, &map)?;
    lines.text.push(b'\n');
    Ok(())
}

/// A value as indented lines.
fn outline(out: &mut impl Write, value: &Value, indent: usize) -> std::io::Result<()> {
    let pad = " ".repeat(indent);
    let mut entry = |name: &str, value: &Value| match value {
        Value::Object(map) if !map.is_empty() => {
            writeln!(out, "{pad}{name}:")?;
            outline(out, value, indent + 2)
        }
        Value::Array(list) if list.iter().any(|v| v.is_object() || v.is_array()) => {
            writeln!(out, "{pad}{name}:")?;
            outline(out, value, indent + 2)
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => writeln!(out, "{pad}{name}: {}", plain(value)),
    };
    match value {
        Value::Object(map) => map.iter().try_for_each(|(name, value)| entry(name, value)),
        Value::Array(list) => {
            (list.iter().enumerate()).try_for_each(|(i, value)| entry(&format!("[{i}]"), value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// A value without parts in a few words.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().flat_map(printable).collect(),
        Value::Array(list) => {
            let words: Vec<String> = list.iter().map(plain).collect();
            words.join(", ")
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// A character as it can be shown on a terminal.
fn printable(c: char) -> Vec<char> {
    if c.is_control() {
        c.escape_default().collect()
    } else {
        vec![c]
    }
}

fn mid(message: &Message) -> String {
    match message.header.message_id.0 {
        u64::MAX => "-".to_owned(),
        id => id.to_string(),
    }
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "→",
        Direction::ToClient => "←",
    }
}

/// Seconds since the first packet of the connection.
fn since(conversation: &Conversation, time: Duration) -> String {
    format!(
        "{:.6}",
        time.saturating_sub(conversation.time).as_secs_f64()
    )
}

/// What is known of a conversation as a whole.
fn head(out: &mut impl Write, conversation: &Conversation) -> std::io::Result<()> {
    let c = conversation;
    write!(
        out,
        "conversation {}: {} → {}",
        c.number, c.client, c.server
    )?;
    if c.transport == Transport::NetBios {
        write!(out, ", NetBIOS")?;
    }
    if let Some(n) = &c.negotiated {
        write!(out, ", SMB {}, signing {}", n.dialect, n.signing)?;
        if let Some(cipher) = n.cipher {
            write!(out, ", cipher {cipher}")?;
        }
    }
    match c.start {
        Start::Handshake => {}
        Start::Negotiate => write!(out, ", without the TCP handshake")?,
        Start::Middle => write!(out, ", from the middle")?,
    }
    match c.end {
        End::Reset(Direction::ToServer) => write!(out, ", reset by the client")?,
        End::Reset(Direction::ToClient) => write!(out, ", reset by the server")?,
        End::Closed(_) => {}
        End::Open => write!(out, ", not closed in the capture")?,
    }
    writeln!(out)?;
    for logon in &c.logons {
        let who = match (logon.user.as_str(), logon.domain.as_str()) {
            ("", _) => "nobody".to_owned(),
            (user, "") => user.to_owned(),
            (user, domain) => format!("{domain}\\{user}"),
        };
        let proof = match &logon.proof {
            Proof::None => "",
            Proof::Password(_) => ", password known",
            Proof::NtHash(_) => ", hash known",
            Proof::Wrong => ", the given password is not theirs",
            Proof::SessionKey => ", session key known",
        };
        let status = logon
            .status
            .map_or_else(|| "no answer".to_owned(), |s| s.to_string());
        writeln!(
            out,
            "  session {}: {who} by {:?}: {status}{proof}",
            logon.session, logon.mechanism
        )?;
    }
    if c.retransmitted + c.reordered > 0 {
        writeln!(
            out,
            "  {} segments sent again, {} out of order",
            c.retransmitted, c.reordered
        )?;
    }
    for note in &c.notes {
        writeln!(out, "  note: {note}")?;
    }
    Ok(())
}
