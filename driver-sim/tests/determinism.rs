//! The same seed and inputs give the same bytes.

use driver_sim::client::{ClientConfig, Credentials, LogonFor, Part, Random, Seal, Sign, ops};
use driver_sim::pair::{Pair, Tree};
use proptest::prelude::*;
use smb_proto::crypto::PreauthHash;
use smb_proto::fsctl::FsctlCode;
use smb_proto::id::FileId;
use smb_proto::info::file::FileRenameInformation;
use smb_proto::info::{FileInfoClass, SecurityInformation};
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions, ShareAccess};
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::{self, change_notify::CompletionFilter, echo};
use smb_proto::wire::Writer;

const NAMES: [&str; 6] = ["a", "A", "dir", "dir\\b", "dir\\sub", "a:stream"];

/// What two or three clients do; all choices come from the script.
struct Run {
    pair: Pair,
    trees: Vec<Tree>,
    files: Vec<(usize, FileId)>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut pair = Pair::builder().seed(seed).build();
        let mut trees = Vec::new();
        for protect in [
            std::convert::identity as fn(ClientConfig) -> ClientConfig,
            ClientConfig::signing,
            ClientConfig::encrypting,
        ] {
            let config = protect(ClientConfig::default()).seed(seed ^ trees.len() as u64);
            let end = pair.connect_as(config);
            trees.push(pair.mount_on(end));
        }
        Self {
            pair,
            trees,
            files: Vec::new(),
        }
    }

    fn pick_file(&self, r: &mut Random, who: usize) -> FileId {
        let mine: Vec<FileId> = self
            .files
            .iter()
            .filter(|(w, _)| *w == who)
            .map(|f| f.1)
            .collect();
        match r.below(mine.len() as u64 + 1) as usize {
            n if n < mine.len() => mine[n],
            _ => FileId {
                persistent: r.below(4),
                volatile: r.below(4),
            },
        }
    }

    fn request(&self, r: &mut Random, who: usize) -> msg::Request {
        let file = self.pick_file(r, who);
        match r.below(22) {
            0..=3 => create::Request {
                create_disposition: r.below(7) as u32,
                share_access: ShareAccess::from_bits_retain(r.below(8) as u32),
                create_options: CreateOptions::from_bits_retain(
                    [0, 1, 0x40, 0x1000, 0x1001][r.below(5) as usize],
                ),
                ..ops::create(
                    NAMES[r.below(NAMES.len() as u64) as usize],
                    CreateDisposition::Open,
                )
            }
            .into(),
            4 => ops::close(file).into(),
            5 => ops::read(file, r.below(100), r.below(70_000) as u32).into(),
            6 => ops::write(file, r.below(100), vec![7; r.below(70_000) as usize]).into(),
            7 => ops::flush(file).into(),
            8 => ops::query_directory(file, FileInfoClass::IdBothDirectory, "*", 4096).into(),
            9 => ops::query_file(file, FileInfoClass::All).into(),
            10 => ops::notify(file, CompletionFilter::all(), r.below(2) == 0).into(),
            11 => ops::lock(
                file,
                r.below(10),
                r.below(10),
                LockFlags::from_bits_retain([1, 2, 4, 0x11, 0x12][r.below(5) as usize]),
            )
            .into(),
            12 => ops::set_file(file, FileInfoClass::Disposition, vec![r.below(2) as u8]).into(),
            13 | 14 => {
                let to = NAMES[r.below(NAMES.len() as u64) as usize];
                let rename = FileRenameInformation {
                    replace_if_exists: r.below(2) == 0,
                    root_directory: 0,
                    file_name: to.to_owned(),
                };
                let mut w = Writer::new();
                rename.encode(&mut w);
                ops::set_file(file, FileInfoClass::Rename, w.written().to_vec()).into()
            }
            15 => {
                let size = r.below(200_000).to_le_bytes().to_vec();
                ops::set_file(file, FileInfoClass::EndOfFile, size).into()
            }
            16 => {
                // All sizes, so that buffers that are too small are among them.
                let mut request = ops::query_file(file, FileInfoClass::Stream);
                request.output_buffer_length = r.below(100) as u32;
                request.into()
            }
            17 => ops::query_security(file, SecurityInformation::from_bits_retain(7)).into(),
            18 => ops::fsctl(file, FsctlCode::SRV_REQUEST_RESUME_KEY, vec![], 32).into(),
            19 => {
                let range = [r.below(9000), r.below(9000)];
                let input: Vec<u8> = range.iter().flat_map(|n| n.to_le_bytes()).collect();
                let code = [FsctlCode::SET_ZERO_DATA, FsctlCode::QUERY_ALLOCATED_RANGES];
                ops::fsctl(file, code[r.below(2) as usize], input, 64).into()
            }
            20 if r.below(8) == 0 => msg::tree_disconnect::Request.into(),
            20 if r.below(8) == 0 => msg::logoff::Request.into(),
            _ => echo::Request.into(),
        }
    }

    /// Carries out one step, and gives a description of what the client got back.
    fn step(&mut self, choice: u64) {
        let mut r = Random::new(choice);
        let who = r.below(self.trees.len() as u64) as usize;
        let tree = self.trees[who];
        match r.below(30) {
            0 => self.pair.hold(|_| true),
            1 => self.pair.release(),
            2 => self
                .pair
                .advance(std::time::Duration::from_millis(r.below(2000))),
            3 => {
                let id = smb_proto::id::MessageId(r.below(60));
                self.pair.client(tree.end).cancel(id);
            }
            4 => {
                let parts = (0..1 + r.below(3))
                    .map(|n| {
                        let part = Part::new(tree.target, self.request(&mut r, who));
                        if n > 0 && r.below(2) == 0 {
                            part.related()
                        } else {
                            part
                        }
                    })
                    .collect();
                self.pair.client(tree.end).send_sealed(parts, Seal::Auto);
            }
            5 if r.below(4) == 0 => self.pair.disconnect(tree.end),
            7 => {
                let id = tree.target.session;
                let password = ["secret", "wrong"][r.below(2) as usize];
                let purpose = [LogonFor::Again(id), LogonFor::New, LogonFor::Replacing(id)];
                let purpose = purpose[r.below(3) as usize].clone();
                let credentials = Credentials::new("user", password);
                self.pair.client(tree.end).logon(credentials, purpose);
            }
            6 => {
                let mut part = Part::new(tree.target, self.request(&mut r, who));
                part.sign = [Sign::Wrong, Sign::No, Sign::Yes][r.below(3) as usize];
                self.pair.client(tree.end).send_part(part);
            }
            _ => {
                let request = self.request(&mut r, who);
                let id = self.pair.start(tree, request);
                if let Some(reply) = self.pair.reply(tree.end, id)
                    && let msg::Response::Create(c) = reply.body
                {
                    self.files.push((who, c.file_id));
                }
            }
        }
        self.pair.run();
    }
}

fn whole(seed: u64, script: &[u64]) -> (PreauthHash, String) {
    let mut run = Run::new(seed);
    for choice in script {
        run.step(*choice);
    }
    for tree in &run.trees {
        assert_eq!(run.pair.fault(tree.end), None);
    }
    run.pair.finish();
    (run.pair.trace(), run.pair.fs().tree())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(150)
    })]

    #[test]
    fn twice_the_same(seed: u64, script in prop::collection::vec(any::<u64>(), 0..80)) {
        let first = whole(seed, &script);
        prop_assert_eq!(first, whole(seed, &script));
    }
}

#[test]
fn another_seed_gives_other_bytes() {
    assert_ne!(whole(1, &[]).0, whole(2, &[]).0);
}
