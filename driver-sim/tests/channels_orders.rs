//! Every course that two channels of one session can take, with up to so many steps on each: binding,
//! work, proving the user again, rightly and wrongly, LOGOFF, and the loss of the connection. A model of a
//! few lines says what each step is answered ([MS-SMB2] 3.3.5.2.9, 3.3.5.5, 3.3.5.6, 3.3.7.1).
//!
//! `SANSMB_STEPS=4` goes further than the test does by itself.

use driver_sim::client::{ClientConfig, Credentials, ExportedSession, LogonFor, Target, ops};
use driver_sim::pair::{End, Pair, Tree};
use smb_proto::id::FileId;
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::msg::{echo, logoff};
use smb_proto::{Dialect, NtStatus as S};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Bind,
    Write,
    Again,
    Wrong,
    Logoff,
    Lose,
}

const STEPS: [Step; 6] = [
    Step::Bind,
    Step::Write,
    Step::Again,
    Step::Wrong,
    Step::Logoff,
    Step::Lose,
];

/// What there is of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Model {
    alive: bool,
    connected: [bool; 2],
    bound: [bool; 2],
}

impl Model {
    const START: Self = Self {
        alive: true,
        connected: [true; 2],
        bound: [true, false],
    };

    /// What a step is answered, and what follows from it.
    fn step(&mut self, on: usize, step: Step) -> S {
        let here = self.alive && self.bound[on];
        let answer = match step {
            Step::Bind if self.alive => {
                self.bound[on] = true;
                return S::SUCCESS;
            }
            Step::Lose => {
                self.connected[on] = false;
                self.bound[on] = false;
                self.alive &= self.bound.contains(&true);
                return S::SUCCESS;
            }
            _ if !here => return S::USER_SESSION_DELETED,
            Step::Bind | Step::Write | Step::Again => return S::SUCCESS,
            Step::Wrong => S::LOGON_FAILURE,
            Step::Logoff => S::SUCCESS,
        };
        self.alive = false;
        answer
    }

    /// Whether a step says anything here: what is bound is not bound again, and of what has ended one
    /// step on each connection tells enough.
    fn makes_sense(&self, on: usize, step: Step, done: &[(usize, Step)]) -> bool {
        let before = done.iter().rev().find(|(at, _)| *at == on).map(|(_, s)| *s);
        self.connected[on]
            && (step != Step::Bind || !self.bound[on])
            && (self.alive || !matches!(step, Step::Lose))
            && before != Some(step)
    }
}

fn channel(seed: u64) -> ClientConfig {
    ClientConfig {
        seed,
        capabilities: GlobalCapabilities::LARGE_MTU | GlobalCapabilities::MULTI_CHANNEL,
        ..ClientConfig::only(Dialect::Smb311).signing()
    }
}

struct World {
    pair: Pair,
    ends: [End; 2],
    tree: Tree,
    file: FileId,
    key: ExportedSession,
    other: Tree,
}

impl World {
    fn new() -> Self {
        let mut pair = Pair::builder().config(|c| c.multichannel = true).build();
        let ends = [1, 2].map(|seed| pair.connect_as(channel(seed)));
        let tree = pair.mount_on(ends[0]);
        let file = pair.create_new(tree, "f").unwrap();
        let key = pair.client(ends[0]).export(tree.target.session).unwrap();
        let other = pair.mount();
        Self {
            pair,
            ends,
            tree,
            file,
            key,
            other,
        }
    }

    fn step(&mut self, on: usize, step: Step) -> S {
        let (end, session) = (self.ends[on], self.tree.target.session);
        let user = |password| Credentials::new("user", password);
        let mut logon = |credentials, purpose| {
            let outcome = self.pair.logon_for(end, credentials, purpose);
            outcome.err().unwrap_or(S::SUCCESS)
        };
        match step {
            Step::Bind => logon(user("secret"), LogonFor::Bind(self.key.clone())),
            Step::Again => logon(user("secret"), LogonFor::Again(session)),
            Step::Wrong => logon(user("wrong"), LogonFor::Again(session)),
            Step::Write => {
                let request = ops::write(self.file, 0, "x");
                self.pair.call_end(end, self.tree.target, request).status()
            }
            Step::Logoff => {
                let target = Target::session(session);
                self.pair.call_end(end, target, logoff::Request).status()
            }
            Step::Lose => {
                self.pair.disconnect(end);
                S::SUCCESS
            }
        }
    }
}

/// Plays one course from the start.
fn play(course: &[(usize, Step)]) {
    let mut world = World::new();
    let mut model = Model::START;
    for (n, (on, step)) in course.iter().enumerate() {
        let expected = model.step(*on, *step);
        let answer = world.step(*on, *step);
        assert_eq!(answer, expected, "step {n} of {course:?}");
        let counts = world.pair.counts();
        let lives = usize::from(model.alive);
        assert_eq!(
            (counts.sessions, counts.opens),
            (1 + lives, lives),
            "after step {n} of {course:?}"
        );
    }
    let untouched = world.pair.call(world.other, echo::Request);
    assert_eq!(untouched.status(), S::SUCCESS);
    world.pair.finish();
}

/// Plays every course that goes on from here; how many.
fn courses(model: Model, most: usize, done: &mut Vec<(usize, Step)>) -> usize {
    let mut played = 0;
    for on in 0..2 {
        if done.iter().filter(|(at, _)| *at == on).count() == most {
            continue;
        }
        for step in STEPS {
            if !model.makes_sense(on, step, done) {
                continue;
            }
            let mut next = model;
            next.step(on, step);
            done.push((on, step));
            played += if model.alive {
                courses(next, most, done)
            } else {
                play(done);
                1
            };
            done.pop();
        }
    }
    if played == 0 {
        play(done);
        played = 1;
    }
    played
}

#[test]
fn every_course_of_two_channels() {
    let steps = std::env::var("SANSMB_STEPS").ok();
    let most = steps.and_then(|s| s.parse().ok()).unwrap_or(2);
    let played = courses(Model::START, most, &mut Vec::new());
    println!("{played} courses of up to {most} steps on each channel");
    assert!(played > 100);
}
