//! When a written file shows a new write time ([MS-FSA] 2.1.5.4): by the simulator's clock.

use std::time::Duration;

use bytes::Bytes;
use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_proto::FileTime;
use smb_proto::id::FileId;
use smb_proto::info::FileInfoClass;
use smb_proto::info::file::{FileBasicInformation, FileEndOfFileInformation};
use smb_proto::msg::close::{self, CloseFlags};
use smb_proto::wire::Writer;

const SECOND: Duration = Duration::from_secs(1);

fn bytes(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

struct Bed {
    pair: Pair,
    tree: Tree,
    file: FileId,
    created: FileTime,
}

/// A file that was created a second ago and is open.
fn bed() -> Bed {
    bed_in(Pair::new())
}

fn bed_in(mut pair: Pair) -> Bed {
    let tree = pair.mount();
    let file = pair.create_new(tree, "f").unwrap();
    let mut bed = Bed {
        pair,
        tree,
        file,
        created: FileTime::ZERO,
    };
    bed.created = bed.shown();
    bed.pair.advance(SECOND);
    bed
}

impl Bed {
    fn write(&mut self) {
        let (tree, file) = (self.tree, self.file);
        self.pair.write(tree, file, 0, b"x".as_slice()).unwrap();
    }

    fn shown(&mut self) -> FileTime {
        let (tree, file) = (self.tree, self.file);
        let info = self.pair.query_file(tree, file, FileInfoClass::Basic);
        FileBasicInformation::parse(&info.unwrap())
            .unwrap()
            .last_write_time
    }

    fn listed(&mut self) -> FileTime {
        let root = self.pair.create(self.tree, ops::open_dir("")).unwrap();
        let list = self.pair.list(self.tree, root.file_id, "f").unwrap();
        self.pair.close(self.tree, root.file_id).unwrap();
        list[0].last_write_time
    }

    fn set(&mut self, info: FileBasicInformation) {
        let (tree, file) = (self.tree, self.file);
        self.pair
            .set_file(tree, file, FileInfoClass::Basic, bytes(|w| info.encode(w)))
            .unwrap();
    }

    fn close(&mut self) -> FileTime {
        let request = close::Request {
            flags: CloseFlags::POSTQUERY_ATTRIB,
            ..ops::close(self.file)
        };
        let reply = self.pair.call(self.tree, request);
        match reply.body {
            smb_proto::msg::Response::Close(c) => c.last_write_time,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_first_write_shows_after_two_seconds_everywhere() {
    let mut bed = bed();
    bed.write();
    let written = bed.pair.now().wall;
    for _ in 0..2 {
        assert_eq!((bed.shown(), bed.listed()), (bed.created, bed.created));
        let other = bed.pair.create(bed.tree, ops::open("f")).unwrap();
        assert_eq!(other.last_write_time, bed.created);
        bed.pair.close(bed.tree, other.file_id).unwrap();
        // The medium knows the truth at once.
        bed.pair.advance(SECOND * 9 / 10);
    }
    bed.pair.advance(SECOND);
    assert_eq!((bed.shown(), bed.listed()), (written, written));
    bed.pair.advance(SECOND);
    assert_eq!(bed.close(), written);
    bed.pair.finish();
}

#[test]
fn later_writes_show_when_the_file_is_closed() {
    let mut bed = bed();
    bed.write();
    let first = bed.pair.now().wall;
    bed.pair.advance(SECOND * 3);
    assert_eq!(bed.shown(), first);
    bed.write();
    bed.pair.advance(SECOND * 3);
    assert_eq!((bed.shown(), bed.listed()), (first, first));
    let closed = bed.pair.now().wall;
    assert_eq!(bed.close(), closed);
    assert_eq!(bed.listed(), closed);
    bed.pair.finish();
}

/// A copy that closes right after its last write costs nothing more, and shows that write.
#[test]
fn a_write_shortly_before_the_close_counts_itself() {
    let mut bed = bed();
    bed.write();
    bed.pair.advance(SECOND * 3);
    bed.shown();
    bed.write();
    let last = bed.pair.now().wall;
    bed.pair.advance(SECOND / 2);
    assert_eq!(bed.close(), last);
    bed.pair.finish();
}

#[test]
fn flush_size_and_basic_information_show_at_once() {
    for what in ["flush", "size", "nothing", "creation"] {
        let mut bed = bed();
        bed.write();
        assert_eq!(bed.shown(), bed.created);
        let (tree, file, now) = (bed.tree, bed.file, bed.pair.now().wall);
        match what {
            "flush" => bed.pair.flush(tree, file).unwrap(),
            "size" => {
                let size = FileEndOfFileInformation { end_of_file: 1 };
                let size = bytes(|w| size.encode(w));
                bed.pair
                    .set_file(tree, file, FileInfoClass::EndOfFile, size)
                    .unwrap();
            }
            "nothing" => bed.set(FileBasicInformation::default()),
            _ => bed.set(FileBasicInformation {
                creation_time: FileTime(77),
                ..FileBasicInformation::default()
            }),
        }
        assert_eq!(bed.shown(), now, "{what}");
        bed.pair.advance(SECOND * 5);
        assert_eq!(bed.close(), now, "{what}");
        bed.pair.finish();
    }
}

/// The time that somebody else sets is not lost when the writer closes.
#[test]
fn a_time_that_is_set_outlives_the_writer() {
    let mut bed = bed();
    bed.write();
    bed.pair.advance(SECOND * 3);
    bed.write();
    bed.pair.advance(SECOND * 3);
    let writer = bed.file;
    bed.file = bed.pair.open(bed.tree, "f").unwrap();
    bed.set(FileBasicInformation {
        last_write_time: FileTime(1_000_000),
        ..FileBasicInformation::default()
    });
    assert_eq!(bed.close(), FileTime(1_000_000));
    bed.file = writer;
    assert_eq!(bed.close(), FileTime(1_000_000));
    bed.pair.finish();
}

#[test]
fn without_delay_each_write_shows_at_once() {
    let pair = Pair::builder()
        .config(|c| c.limits.write_time_delay = Duration::ZERO)
        .build();
    let mut bed = bed_in(pair);
    for _ in 0..2 {
        bed.write();
        assert_eq!(bed.shown(), bed.pair.now().wall);
        bed.pair.advance(SECOND * 3);
    }
    bed.pair.finish();
}

/// Deleting the file while a write is outstanding leaves no timer behind.
#[test]
fn nothing_stays_behind_a_deleted_file() {
    let mut bed = bed();
    bed.write();
    assert_eq!(bed.pair.counts().timers, 1);
    let (tree, file) = (bed.tree, bed.file);
    bed.pair
        .set_file(
            tree,
            file,
            FileInfoClass::Disposition,
            Bytes::from_static(&[1]),
        )
        .unwrap();
    bed.close();
    assert_eq!((bed.pair.counts().timers, bed.pair.counts().files), (0, 0));
    bed.pair.finish();
}
