//! Change notification ([MS-SMB2] 3.3.5.19, [MS-FSA] 2.1.4.1): who waits is told of what is made and
//! written, and nobody is told of what was not asked for.

use std::collections::{BTreeMap, BTreeSet};

use smb_engine::names::fold;
use smb_engine::output::ConnId;
use smb_engine::time::Now;
use smb_proto::header::HeaderFlags;
use smb_proto::id::{FileId, MessageId};
use smb_proto::info::file::{FileRenameInformation, FileRenameInformationEx};
use smb_proto::info::notify::{Action, parse};
use smb_proto::info::{FileAttributes, FileInfoClass, InfoType};
use smb_proto::msg::change_notify::{self, ChangeNotifyFlags, CompletionFilter};
use smb_proto::msg::create::CreateAction;
use smb_proto::msg::{Request, Response};
use smb_proto::{Header, NtStatus};

use super::{Checker, Outside, Seen, Violation};

const NAME: &str = "notify";

/// Names a request.
type Key = (ConnId, MessageId);

/// A CHANGE_NOTIFY without final answer.
#[derive(Debug)]
struct Waiting {
    file: FileId,
    /// It was told to wait, so that from then on it sees everything.
    armed: bool,
    /// Something has happened since that it must be told.
    due: Option<String>,
}

/// What an open directory watches: the first request decides.
#[derive(Debug, Clone, Copy)]
struct Watch {
    filter: CompletionFilter,
    recursive: bool,
}

/// A request that may change something.
#[derive(Debug)]
enum Change {
    Create(String),
    Write(String),
}

/// An open whose name is known.
#[derive(Debug)]
struct Named {
    path: String,
    watch: Option<Watch>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Notify {
    opens: BTreeMap<FileId, Named>,
    waiting: BTreeMap<Key, Waiting>,
    /// Changes on their way, and who waited for such things before they were asked for.
    changes: BTreeMap<Key, (Change, BTreeSet<Key>)>,
    /// Names that a rename has made doubtful, with what is beneath.
    doubtful: BTreeSet<String>,
    /// Last components of all names that anybody has asked for.
    known: BTreeSet<String>,
    /// Somebody else changes the share too.
    crowded: bool,
    judged: u64,
}

fn wrong(what: String) -> Violation {
    Violation::new(NAME, what)
}

/// `path` below `dir`; `None` if it is not.
fn below<'a>(path: &'a str, dir: &str) -> Option<&'a str> {
    if dir.is_empty() {
        return (!path.is_empty()).then_some(path);
    }
    path.strip_prefix(dir)?.strip_prefix('\\')
}

/// The last component, without stream.
fn last(path: &str) -> &str {
    let name = path.rsplit('\\').next().unwrap_or(path);
    name.split(':').next().unwrap_or(name)
}

/// What a filter must have for an action to be reported.
fn wants(action: Action) -> CompletionFilter {
    use CompletionFilter as F;
    match action {
        Action::ADDED | Action::REMOVED | Action::RENAMED_OLD_NAME | Action::RENAMED_NEW_NAME => {
            F::FILE_NAME | F::DIR_NAME
        }
        Action::ADDED_STREAM | Action::REMOVED_STREAM => F::STREAM_NAME,
        Action::MODIFIED_STREAM => F::STREAM_SIZE | F::STREAM_WRITE,
        _ => (F::FILE_NAME | F::DIR_NAME | F::STREAM_NAME).complement(),
    }
}

impl Notify {
    fn doubted(&self, path: &str) -> bool {
        self.doubtful
            .iter()
            .any(|d| path == d || below(path, d).is_some())
    }

    /// Requests that wait now and must see a change of this kind to `path`.
    fn audience(&self, path: &str, kind: CompletionFilter) -> BTreeSet<Key> {
        let sees = |waiting: &Waiting| {
            let named = self.opens.get(&waiting.file)?;
            let watch = named.watch?;
            let rest = below(path, &named.path)?;
            let scope = watch.recursive || !rest.contains('\\');
            let all = watch.filter.contains(kind);
            (waiting.armed && scope && all && !self.doubted(&named.path)).then_some(())
        };
        // Of several that wait on one open, the first is told.
        let mut first = BTreeMap::new();
        for (key, w) in &self.waiting {
            first.entry(w.file).or_insert((key, w));
        }
        first
            .values()
            .filter(|(_, w)| sees(w).is_some())
            .map(|(key, _)| **key)
            .collect()
    }

    fn request(&mut self, conn: ConnId, header: &Header, request: &Request) {
        let key = (conn, header.message_id);
        let related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
        match request {
            Request::Create(r) => {
                let path = fold(&r.name).replace('/', "\\");
                self.known.insert(last(&path).to_owned());
                let odd = path.contains(':') || path.contains("..") || path.ends_with('\\');
                if !odd {
                    // Whether it is a directory is known later.
                    let names = CompletionFilter::FILE_NAME | CompletionFilter::DIR_NAME;
                    let audience = self.audience(&path, names);
                    self.changes.insert(key, (Change::Create(path), audience));
                }
            }
            Request::Write(r) if !r.data.is_empty() && !related => {
                if let Some(named) = self.opens.get(&r.file_id)
                    && !self.doubted(&named.path)
                {
                    let path = named.path.clone();
                    let audience = self.audience(&path, CompletionFilter::SIZE);
                    self.changes.insert(key, (Change::Write(path), audience));
                }
            }
            Request::ChangeNotify(r) if !related => self.ask(key, r),
            Request::SetInfo(r) if r.info_type == InfoType::File.code() => {
                let to = match FileInfoClass::from_code(r.file_info_class) {
                    Some(FileInfoClass::Rename | FileInfoClass::Link) => {
                        FileRenameInformation::parse(&r.buffer).map(|i| i.file_name)
                    }
                    Some(FileInfoClass::RenameEx | FileInfoClass::LinkEx) => {
                        FileRenameInformationEx::parse(&r.buffer).map(|i| i.file_name)
                    }
                    _ => return,
                };
                if let Ok(to) = to {
                    let to = fold(&to).replace('/', "\\");
                    self.known.insert(last(&to).to_owned());
                    self.doubtful.insert(to);
                }
                match self.opens.get(&r.file_id) {
                    Some(named) => drop(self.doubtful.insert(named.path.clone())),
                    // It may be anything.
                    None => drop(self.doubtful.insert(String::new())),
                }
            }
            _ => {}
        }
    }

    fn ask(&mut self, key: Key, r: &change_notify::Request) {
        if let Some(named) = self.opens.get_mut(&r.file_id) {
            named.watch.get_or_insert_with(|| Watch {
                filter: r.completion_filter,
                recursive: r.flags.contains(ChangeNotifyFlags::WATCH_TREE),
            });
        }
        let waiting = Waiting {
            file: r.file_id,
            armed: false,
            due: None,
        };
        self.waiting.insert(key, waiting);
    }

    fn answer(&mut self, conn: ConnId, header: &Header, body: &Response) -> Result<(), Violation> {
        let key = (conn, header.message_id);
        let change = self.changes.remove(&key);
        let waited = self.waiting.remove(&key);
        match (body, change) {
            (Response::Create(r), Some((Change::Create(path), audience))) => {
                if r.create_action == CreateAction::CREATED {
                    self.due(&audience, &format!("{path} was made"));
                }
                let named = Named { path, watch: None };
                self.opens.insert(r.file_id, named);
                if !r.file_attributes.contains(FileAttributes::DIRECTORY) {
                    return Ok(());
                }
            }
            // Unless it got another name meanwhile.
            (Response::Write(_), Some((Change::Write(path), audience))) if !self.doubted(&path) => {
                self.due(&audience, &format!("{path} was written"));
            }
            _ => {}
        }
        let Some(waited) = waited else { return Ok(()) };
        self.judged += 1;
        let refused = header.status.is_error();
        if refused
            && let Some(named) = self.opens.get_mut(&waited.file)
            && header.status == NtStatus::INVALID_PARAMETER
        {
            // It has not become the first.
            named.watch = None;
        }
        if let Response::ChangeNotify(r) = body {
            return self.told(&waited, r);
        }
        Ok(())
    }

    fn due(&mut self, audience: &BTreeSet<Key>, what: &str) {
        for key in audience {
            if let Some(w) = self.waiting.get_mut(key) {
                w.due.get_or_insert_with(|| what.to_owned());
            }
        }
    }

    /// Everything in an answer was asked for, and can have happened.
    fn told(&self, waited: &Waiting, r: &change_notify::Response) -> Result<(), Violation> {
        let Some(watch) = self.opens.get(&waited.file).and_then(|n| n.watch) else {
            return Ok(());
        };
        let Ok(changes) = parse(&r.output) else {
            return Err(wrong("a list of changes does not parse".to_owned()));
        };
        for change in changes {
            if !watch.filter.intersects(wants(change.action)) {
                return Err(wrong(format!(
                    "{:?} of {:?} was reported to who asked for {:?}",
                    change.action, change.name, watch.filter
                )));
            }
            if !watch.recursive && change.name.contains('\\') {
                return Err(wrong(format!(
                    "{:?} was reported to who watches one directory",
                    change.name
                )));
            }
            if !self.crowded && !self.known.contains(last(&fold(&change.name))) {
                return Err(wrong(format!(
                    "a change of {:?} was reported, which nobody has named",
                    change.name
                )));
            }
        }
        Ok(())
    }

    fn settled(&self) -> Result<(), Violation> {
        for ((conn, id), w) in &self.waiting {
            if let Some(what) = &w.due {
                return Err(wrong(format!(
                    "message {id} on {conn} waits for changes, and was not told that {what}"
                )));
            }
        }
        Ok(())
    }

    fn gone(&mut self, conn: ConnId) {
        self.waiting.retain(|(c, _), _| *c != conn);
        self.changes.retain(|(c, _), _| *c != conn);
    }
}

impl Checker for Notify {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(&mut self, _now: Now, seen: &Seen<'_>) -> Result<(), Violation> {
        match seen {
            Seen::Request {
                conn,
                header,
                request: Some(request),
                ..
            } => self.request(*conn, header, request),
            Seen::Interim { conn, header } => {
                if let Some(w) = self.waiting.get_mut(&(*conn, header.message_id)) {
                    w.armed = true;
                }
            }
            Seen::Answer { conn, header, body } => return self.answer(*conn, header, body),
            Seen::Closing { conn } | Seen::Disconnected { conn } => self.gone(*conn),
            Seen::Settled => return self.settled(),
            Seen::Outside(Outside::Lost) => {
                *self = Self {
                    crowded: true,
                    judged: self.judged,
                    ..Self::default()
                };
            }
            Seen::Outside(Outside::Touched { .. } | Outside::Present { .. }) => {
                self.crowded = true;
            }
            Seen::Connected { .. }
            | Seen::Request { request: None, .. }
            | Seen::Break { .. }
            | Seen::Outside(
                Outside::Fault { .. }
                | Outside::Torn { .. }
                | Outside::ShortRead { .. }
                | Outside::Drained,
            ) => {}
        }
        Ok(())
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}
