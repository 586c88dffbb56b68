//! What is done: operations on up to [`SLOTS`] things that are open, as data that can be shrunk.

use proptest::prelude::*;
use proptest::sample::select;

/// Descriptors that a step chooses from.
pub(crate) const SECURITIES: u8 = 8;
/// Tags of reparse points that a step chooses from.
pub(crate) const TAGS: u8 = 4;
/// Things open at once.
pub(crate) const SLOTS: usize = 4;

/// Names: pairs that differ in case only, dots, what the host stores under other characters, a name
/// as long as names can be, and some that are no names.
const FILES: &[&str] = &[
    "a",
    "A",
    "b.txt",
    "B.TXT",
    "Grüße",
    "d",
    "D",
    "e",
    "GRÜßE",
    ".dot",
    "x\u{f022}y",
    "X\u{f022}Y",
    "tail\u{f029}",
    "blank\u{f028}",
    "\u{f001}\u{f020}",
    // Case beyond ASCII, as [MS-UCODEREF] folds it and as full folding would; accents in one piece and two.
    "ΣΊΣΥΦΟΣ",
    "σίσυφος",
    "σίσυφοσ",
    "Straße",
    "STRASSE",
    "STRAẞE",
    "İ",
    "ı",
    "I",
    "\u{212a}",
    "k",
    "\u{1f600}",
    "\u{10400}",
    "\u{10428}",
    "caf\u{e9}",
    "cafe\u{301}",
    "ǅ",
    "ǆ",
    "ﬀ",
    "FF",
    LONGEST,
    TOO_LONG,
];
/// Directories that names lie in.
const DIRECTORIES: &[&str] = &["", "d", "D", "d\\e", "e", "a"];
const STREAMS: &[&str] = &["s", "S", "t", "Ströme"];
const LONGEST: &str = match std::str::from_utf8(&[b'n'; 255]) {
    Ok(name) => name,
    Err(_) => "",
};
const TOO_LONG: &str = match std::str::from_utf8(&[b'n'; 256]) {
    Ok(name) => name,
    Err(_) => "",
};

/// A location as text, `path:stream`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) String);

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?}",
            self.0.replace(TOO_LONG, "n*256").replace(LONGEST, "n*255")
        )
    }
}

/// The name by which something open is renamed or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one it was opened by, as renamed since.
    Own,
    /// Another.
    Other(Name),
}

/// Where the bytes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum At {
    Offset(u64),
    End,
}

/// One operation. Numbers without explanation choose among few: slots, descriptors, attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Open {
        slot: usize,
        at: Name,
        data: u8,
        open_reparse: bool,
    },
    OpenById {
        slot: usize,
        of: usize,
        data: u8,
        open_reparse: bool,
    },
    Create {
        slot: usize,
        at: Name,
        directory: bool,
        attributes: u32,
        security: u8,
        eas: Vec<(u8, u8)>,
        allocation: u64,
    },
    Overwrite {
        slot: usize,
        attributes: u32,
        eas: Vec<(u8, u8)>,
        allocation: u64,
        supersede: bool,
    },
    Close {
        slot: usize,
    },
    Read {
        slot: usize,
        offset: u64,
        len: u32,
    },
    Write {
        slot: usize,
        at: At,
        len: usize,
        through: bool,
    },
    Flush {
        slot: usize,
    },
    Stat {
        slot: usize,
    },
    SetBasic {
        slot: usize,
        creation: u8,
        access: u8,
        write: u8,
        change: u8,
        attributes: Option<u32>,
    },
    SetSize {
        slot: usize,
        size: u64,
    },
    SetAllocation {
        slot: usize,
        size: u64,
    },
    Rename {
        slot: usize,
        from: Which,
        to: Name,
        replace: bool,
    },
    Link {
        slot: usize,
        to: Name,
        replace: bool,
    },
    Remove {
        slot: usize,
        at: Which,
    },
    CheckEmpty {
        slot: usize,
    },
    /// A whole walk, so many names at a time.
    List {
        slot: usize,
        pattern: &'static str,
        limit: usize,
    },
    /// A part of a walk, begun anew or gone on with.
    Walk {
        slot: usize,
        restart: bool,
        limit: usize,
    },
    Streams {
        slot: usize,
    },
    Eas {
        slot: usize,
    },
    SetEas {
        slot: usize,
        eas: Vec<(u8, u8)>,
    },
    Security {
        slot: usize,
    },
    SetSecurity {
        slot: usize,
        parts: u32,
        security: u8,
    },
    Volume {
        slot: usize,
    },
    Copy {
        from: usize,
        from_offset: u64,
        to: usize,
        to_offset: u64,
        len: u64,
    },
    Zero {
        slot: usize,
        offset: u64,
        beyond: u64,
    },
    Ranges {
        slot: usize,
        offset: u64,
        len: u64,
        limit: usize,
    },
    SetSparse {
        slot: usize,
        sparse: bool,
    },
    SetCompression {
        slot: usize,
        compressed: bool,
    },
    Trim {
        slot: usize,
        offset: u64,
        beyond: u64,
    },
    ObjectId {
        slot: usize,
    },
    SetObjectId {
        slot: usize,
        id: Option<u8>,
        replace: bool,
    },
    Reparse {
        slot: usize,
    },
    SetReparse {
        slot: usize,
        tag: u8,
        len: usize,
    },
    DeleteReparse {
        slot: usize,
        tag: u8,
    },
}

fn path() -> impl Strategy<Value = String> {
    // Few names, so that the steps of a sequence meet.
    let file = prop_oneof![5 => select(&FILES[..4]), 3 => select(&FILES[4..9]), 1 => select(FILES)];
    let dir = prop_oneof![4 => Just(""), 2 => Just("d"), 1 => select(DIRECTORIES)];
    (dir, file).prop_map(|(dir, file)| match dir {
        "" => file.to_owned(),
        dir => format!("{dir}\\{file}"),
    })
}

fn plain() -> impl Strategy<Value = Name> {
    prop_oneof![20 => path(), 1 => Just(String::new())].prop_map(Name)
}

fn name() -> impl Strategy<Value = Name> {
    let stream =
        (path(), select(STREAMS)).prop_map(|(path, stream)| Name(format!("{path}:{stream}")));
    prop_oneof![4 => plain(), 1 => stream]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![4 => Just(Which::Own), 1 => name().prop_map(Which::Other)]
}

/// Offsets and sizes around the edges of allocation units, small ones, and impossible ones.
fn place() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..300u64,
        4 => select(&[0, 4095, 4096, 4097, 8192, 12_288, 65_536, 70_000][..]),
        2 => 0..40_000u64,
    ]
}

fn far() -> impl Strategy<Value = u64> {
    prop_oneof![30 => place(), 1 => select(&[1 << 63, u64::MAX - 5, u64::MAX][..])]
}

fn eas() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0..5u8, 0..4u8), 0..3)
}

/// READONLY, HIDDEN, SYSTEM, ARCHIVE, TEMPORARY, OFFLINE, NOT_CONTENT_INDEXED, NO_SCRUB_DATA, and some
/// that cannot be set: DIRECTORY, NORMAL, SPARSE_FILE, REPARSE_POINT, ENCRYPTED.
fn attributes() -> impl Strategy<Value = u32> {
    let one = select(
        &[
            0u32, 1, 2, 4, 0x20, 0x100, 0x1000, 0x2000, 0x2_0000, 0x10, 0x80, 0x200, 0x400, 0x4000,
        ][..],
    );
    prop::collection::vec(one, 0..3).prop_map(|bits| bits.into_iter().fold(0, |a, b| a | b))
}

fn opening() -> impl Strategy<Value = Step> {
    let slot = 0..SLOTS;
    prop_oneof![
        4 => (slot.clone(), name(), 0..4u8, prop::bool::weighted(0.2))
            .prop_map(|(slot, at, data, open_reparse)| Step::Open { slot, at, data, open_reparse }),
        1 => (slot.clone(), slot.clone(), 0..4u8, prop::bool::weighted(0.5))
            .prop_map(|(slot, of, data, open_reparse)| Step::OpenById { slot, of, data, open_reparse }),
        8 => (slot.clone(), name(), prop::bool::weighted(0.35), attributes(), 0..SECURITIES, eas(), prop_oneof![3 => Just(0), 1 => place()])
            .prop_map(|(slot, at, directory, attributes, security, eas, allocation)| Step::Create { slot, at, directory, attributes, security, eas, allocation }),
        2 => (slot.clone(), attributes(), eas(), prop_oneof![3 => Just(0), 1 => place()], any::<bool>())
            .prop_map(|(slot, attributes, eas, allocation, supersede)| Step::Overwrite { slot, attributes, eas, allocation, supersede }),
        3 => slot.prop_map(|slot| Step::Close { slot }),
    ]
}

fn data() -> impl Strategy<Value = Step> {
    let slot = 0..SLOTS;
    let at = prop_oneof![4 => far().prop_map(At::Offset), 1 => Just(At::End)];
    prop_oneof![
        2 => (slot.clone(), far(), 0..10_000u32).prop_map(|(slot, offset, len)| Step::Read { slot, offset, len }),
        4 => (slot.clone(), at, prop_oneof![3 => 0..200usize, 1 => 0..9000usize], prop::bool::weighted(0.05))
            .prop_map(|(slot, at, len, through)| Step::Write { slot, at, len, through }),
        1 => (slot.clone(), 0..20u8).prop_map(|(slot, rare)| match rare {
            // The host takes its time for it.
            0 => Step::Flush { slot },
            _ => Step::Read { slot, offset: 0, len: 10_000 },
        }),
        2 => (slot.clone(), far()).prop_map(|(slot, size)| Step::SetSize { slot, size }),
        1 => (slot.clone(), place()).prop_map(|(slot, size)| Step::SetAllocation { slot, size }),
        2 => (slot.clone(), far(), slot.clone(), far(), far())
            .prop_map(|(from, from_offset, to, to_offset, len)| Step::Copy { from, from_offset, to, to_offset, len }),
        2 => (slot.clone(), far(), far()).prop_map(|(slot, offset, beyond)| Step::Zero { slot, offset, beyond }),
        2 => (slot.clone(), far(), far(), prop_oneof![Just(1), Just(1000)])
            .prop_map(|(slot, offset, len, limit)| Step::Ranges { slot, offset, len, limit }),
        1 => (slot.clone(), far(), far())
            .prop_map(|(slot, offset, beyond)| Step::Trim { slot, offset, beyond }),
        1 => (slot.clone(), any::<bool>())
            .prop_map(|(slot, compressed)| Step::SetCompression { slot, compressed }),
        2 => (slot, any::<bool>()).prop_map(|(slot, sparse)| Step::SetSparse { slot, sparse }),
    ]
}

fn metadata() -> impl Strategy<Value = Step> {
    let slot = 0..SLOTS;
    let time = prop_oneof![2 => Just(0u8), 1 => 1..4u8];
    let tag = prop_oneof![3 => Just(0u8), 1 => 1..TAGS];
    prop_oneof![
        2 => slot.clone().prop_map(|slot| Step::Stat { slot }),
        3 => (slot.clone(), time.clone(), time.clone(), time.clone(), time, prop::option::of(attributes()))
            .prop_map(|(slot, creation, access, write, change, attributes)| Step::SetBasic { slot, creation, access, write, change, attributes }),
        1 => slot.clone().prop_map(|slot| Step::Streams { slot }),
        1 => slot.clone().prop_map(|slot| Step::Eas { slot }),
        2 => (slot.clone(), eas()).prop_map(|(slot, eas)| Step::SetEas { slot, eas }),
        1 => slot.clone().prop_map(|slot| Step::Security { slot }),
        2 => (slot.clone(), 0..16u32, 0..SECURITIES).prop_map(|(slot, parts, security)| Step::SetSecurity { slot, parts, security }),
        1 => slot.clone().prop_map(|slot| Step::Volume { slot }),
        1 => slot.clone().prop_map(|slot| Step::ObjectId { slot }),
        1 => (slot.clone(), prop::option::of(0..2u8), any::<bool>())
            .prop_map(|(slot, id, replace)| Step::SetObjectId { slot, id, replace }),
        1 => slot.clone().prop_map(|slot| Step::Reparse { slot }),
        2 => (slot.clone(), tag.clone(), 0..40usize).prop_map(|(slot, tag, len)| Step::SetReparse { slot, tag, len }),
        4 => (slot, tag).prop_map(|(slot, tag)| Step::DeleteReparse { slot, tag }),
    ]
}

fn names() -> impl Strategy<Value = Step> {
    let slot = 0..SLOTS;
    let limit = select(&[1usize, 2, 7, 1000][..]);
    let pattern = select(
        &[
            "*",
            "A*",
            "?",
            "*.txt",
            "b.TXT",
            "<.txt",
            "nothing",
            "x\u{f022}Y",
        ][..],
    );
    prop_oneof![
        5 => (slot.clone(), which(), name(), any::<bool>())
            .prop_map(|(slot, from, to, replace)| Step::Rename { slot, from, to, replace }),
        3 => (slot.clone(), plain(), any::<bool>()).prop_map(|(slot, to, replace)| Step::Link { slot, to, replace }),
        3 => (slot.clone(), which()).prop_map(|(slot, at)| Step::Remove { slot, at }),
        1 => slot.clone().prop_map(|slot| Step::CheckEmpty { slot }),
        2 => (slot.clone(), pattern, limit.clone()).prop_map(|(slot, pattern, limit)| Step::List { slot, pattern, limit }),
        2 => (slot, prop::bool::weighted(0.3), limit).prop_map(|(slot, restart, limit)| Step::Walk { slot, restart, limit }),
    ]
}

/// Any operation.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![4 => opening(), 3 => data(), 2 => metadata(), 3 => names()]
}
