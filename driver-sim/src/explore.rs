//! Every order in which a few things can happen.
//!
//! A scenario has actors (clients, the disk, the clock), each with a short list of actions. The order
//! within a list is fixed, that between lists is not: [`explore`] plays all of them, each in a world
//! of its own. Each step is followed by everything that follows from it, and by the checks of the test
//! bed; what is kept back there ([`Pair::hold`], [`Pair::pause`]) makes the steps smaller.
//!
//! In every order, every request on a connection that lives gets exactly one final answer, and one
//! that is allowed; no connection is closed that should not be; nothing is left over; and the same
//! order gives the same bytes again.
//!
//! ```
//! use driver_sim::client::ops;
//! use driver_sim::explore::{Act, Bed, explore};
//! use driver_sim::pair::Pair;
//! use smb_proto::NtStatus;
//!
//! let world = || {
//!     let mut bed = Bed::new(Pair::new(), 2);
//!     bed.pair.fs().write_file("f", b"data").unwrap();
//!     bed.open(0, "f");
//!     bed
//! };
//! let actors = [
//!     vec![Act::request(0, "close", &[NtStatus::SUCCESS], |bed| ops::close(bed.file(0, 0)).into())],
//!     vec![Act::request(1, "open", &[NtStatus::SUCCESS], |_| ops::open("f").into())],
//! ];
//! let explored = explore(world, &actors, |_| {});
//! assert_eq!(explored.orders, 2);
//! ```

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use smb_proto::id::{FileId, MessageId};
use smb_proto::{NtStatus, msg};

use crate::client::{ClientEvent, Credentials, LogonFor, LogonId, Part, Reply, ops};
use crate::pair::{Pair, Tree};

/// Orders of one scenario at most: more have to be sampled, which is not what this is for.
pub const MAX_ORDERS: usize = 100_000;

/// Every so many orders are played twice, to see that they go the same way.
const REPEAT: usize = 8;

/// What a step waits for: a request, or a logon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Request(MessageId),
    Logon(LogonId),
}

/// Something that gets one answer.
struct Question {
    seat: usize,
    name: &'static str,
    asked: Asked,
    allowed: &'static [NtStatus],
    answer: Option<NtStatus>,
    /// The answer to a request, whole.
    reply: Option<Reply>,
}

/// A client in a scenario.
struct Seat {
    tree: Tree,
    files: Vec<FileId>,
    events: Vec<ClientEvent>,
    /// The server may close its connection.
    may_close: bool,
}

/// The world of one order.
pub struct Bed {
    /// Engine, clients, files, time.
    pub pair: Pair,
    seats: Vec<Seat>,
    questions: Vec<Question>,
}

impl Bed {
    /// A world with `clients` clients that are logged on and connected to the share `files`.
    #[must_use]
    pub fn new(mut pair: Pair, clients: usize) -> Self {
        let trees: Vec<Tree> = (0..clients).map(|_| pair.mount()).collect();
        Self::of(pair, trees)
    }

    /// A world with clients that are there already.
    #[must_use]
    pub fn of(pair: Pair, trees: impl IntoIterator<Item = Tree>) -> Self {
        let seats = trees.into_iter().map(|tree| Seat {
            tree,
            files: Vec::new(),
            events: Vec::new(),
            may_close: false,
        });
        Self {
            pair,
            seats: seats.collect(),
            questions: Vec::new(),
        }
    }

    /// A client's tree connect.
    ///
    /// # Panics
    /// There is no such client.
    #[must_use]
    pub fn tree(&self, seat: usize) -> Tree {
        self.seats[seat].tree
    }

    /// The file that a client has opened as its `n`th.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn file(&self, seat: usize, n: usize) -> FileId {
        self.seats[seat].files[n]
    }

    /// Opens what exists, and remembers it; for the preparation of a world.
    ///
    /// # Panics
    /// It does not open.
    pub fn open(&mut self, seat: usize, name: &str) {
        self.create(seat, ops::open(name));
    }

    /// Opens as told, and remembers it.
    ///
    /// # Panics
    /// It does not open.
    pub fn create(&mut self, seat: usize, request: msg::create::Request) {
        match self.pair.create(self.seats[seat].tree, request) {
            Ok(made) => self.seats[seat].files.push(made.file_id),
            Err(status) => panic!("preparation: {status}"),
        }
    }

    /// The server may close this client's connection.
    ///
    /// # Panics
    /// There is no such client.
    pub fn may_close(&mut self, seat: usize) {
        self.seats[seat].may_close = true;
    }

    /// Whether a client is connected.
    ///
    /// # Panics
    /// There is no such client.
    #[must_use]
    pub fn is_connected(&self, seat: usize) -> bool {
        self.pair.is_connected(self.seats[seat].tree.end)
    }

    /// The answer to a step, if it was made and answered. The last one of that name.
    #[must_use]
    pub fn answer(&self, name: &str) -> Option<NtStatus> {
        let mut named = self.questions.iter().rev().filter(|q| q.name == name);
        named.next()?.answer
    }

    /// As [`Self::answer`], whole; a logon has none.
    #[must_use]
    pub fn reply(&self, name: &str) -> Option<&Reply> {
        let mut named = self.questions.iter().rev().filter(|q| q.name == name);
        named.next()?.reply.as_ref()
    }

    /// Sends one element on a client's connection, if that lives.
    ///
    /// # Panics
    /// There is no such client.
    pub fn ask(
        &mut self,
        seat: usize,
        name: &'static str,
        allowed: &'static [NtStatus],
        part: Part,
    ) {
        if self.is_connected(seat) {
            let id = self.pair.client(self.seats[seat].tree.end).send_part(part);
            self.note(seat, name, allowed, Asked::Request(id));
        }
    }

    /// Begins a logon on a client's connection, if that lives.
    ///
    /// # Panics
    /// There is no such client.
    pub fn log_on(
        &mut self,
        seat: usize,
        name: &'static str,
        allowed: &'static [NtStatus],
        credentials: Credentials,
        purpose: LogonFor,
    ) {
        if self.is_connected(seat) {
            let client = self.pair.client(self.seats[seat].tree.end);
            let id = client.logon(credentials, purpose);
            self.note(seat, name, allowed, Asked::Logon(id));
        }
    }

    fn note(
        &mut self,
        seat: usize,
        name: &'static str,
        allowed: &'static [NtStatus],
        asked: Asked,
    ) {
        self.questions.push(Question {
            seat,
            name,
            asked,
            allowed,
            answer: None,
            reply: None,
        });
    }

    /// Asks to cancel a step that has no answer yet.
    pub fn cancel(&mut self, name: &str) {
        let mut named = self.questions.iter().rev().filter(|q| q.name == name);
        if let Some(question) = named.next()
            && let Asked::Request(id) = question.asked
        {
            let end = self.seats[question.seat].tree.end;
            self.pair.client(end).cancel(id);
        }
    }

    /// Takes in what has come, and sees that it is allowed.
    fn look(&mut self) {
        self.pair.run();
        for (n, seat) in self.seats.iter_mut().enumerate() {
            let end = seat.tree.end;
            assert_eq!(
                self.pair.fault(end),
                None,
                "client {n} saw the server break the protocol"
            );
            let closed = self.pair.close_reason(end);
            assert!(
                seat.may_close || closed.is_none(),
                "client {n} was closed: {closed:?}"
            );
            seat.events.extend(self.pair.client_events(end));
        }
        for question in self.questions.iter_mut().filter(|q| q.answer.is_none()) {
            let seat = &self.seats[question.seat];
            let answer = match question.asked {
                Asked::Request(id) => {
                    question.reply = self.pair.reply(seat.tree.end, id);
                    question.reply.as_ref().map(Reply::status)
                }
                Asked::Logon(id) => seat.events.iter().find_map(|e| match e {
                    ClientEvent::LoggedOn { logon, .. } if *logon == id => Some(NtStatus::SUCCESS),
                    ClientEvent::LogonFailed { logon, status } if *logon == id => Some(*status),
                    _ => None,
                }),
            };
            if let Some(status) = answer {
                let allowed = question.allowed;
                assert!(
                    allowed.contains(&status),
                    "{} was answered {status}, allowed is {allowed:?}",
                    question.name
                );
                question.answer = Some(status);
            }
        }
    }

    /// Lets everything come to its end: what is held is carried out, what waits is cancelled.
    fn conclude(&mut self) {
        for seat in 0..self.seats.len() {
            self.pair.resume(self.seats[seat].tree.end);
        }
        self.pair.release();
        self.pair.advance(Duration::from_secs(1));
        self.look();
        let open: Vec<&'static str> = self.unanswered().map(|q| q.name).collect();
        for name in open {
            self.cancel(name);
            self.look();
        }
        if let Some(question) = self.unanswered().next() {
            panic!("{} was never answered", question.name);
        }
    }

    fn unanswered(&self) -> impl Iterator<Item = &Question> {
        let open = self.questions.iter().filter(|q| q.answer.is_none());
        open.filter(|q| self.is_connected(q.seat))
    }
}

/// One step of an actor.
pub struct Act {
    name: &'static str,
    run: Box<dyn Fn(&mut Bed)>,
}

impl Act {
    /// Anything.
    pub fn new(name: &'static str, run: impl Fn(&mut Bed) + 'static) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }

    /// A client sends a request, whose answer must be one of `allowed`.
    pub fn request(
        seat: usize,
        name: &'static str,
        allowed: &'static [NtStatus],
        request: impl Fn(&Bed) -> msg::Request + 'static,
    ) -> Self {
        Self::part(seat, name, allowed, move |bed| {
            Part::new(bed.tree(seat).target, request(bed))
        })
    }

    /// A client sends an element of its own making.
    pub fn part(
        seat: usize,
        name: &'static str,
        allowed: &'static [NtStatus],
        part: impl Fn(&Bed) -> Part + 'static,
    ) -> Self {
        Self::new(name, move |bed| bed.ask(seat, name, allowed, part(bed)))
    }

    /// A client asks to cancel what the step of this name asked for.
    #[must_use]
    pub fn cancel(name: &'static str) -> Self {
        Self::new("cancel", move |bed| bed.cancel(name))
    }

    /// A client's connection breaks.
    #[must_use]
    pub fn disconnect(seat: usize) -> Self {
        Self::new("disconnect", move |bed| {
            bed.pair.disconnect(bed.tree(seat).end);
        })
    }

    /// The oldest thing that is held is carried out, if there is any.
    #[must_use]
    pub fn complete() -> Self {
        Self::new("complete", |bed| {
            bed.pair.release_oldest();
        })
    }

    /// The newest thing that is held is carried out, if there is any.
    #[must_use]
    pub fn complete_newest() -> Self {
        Self::new("complete newest", |bed| {
            bed.pair.release_newest();
        })
    }

    /// A paused client's next message arrives.
    #[must_use]
    pub fn deliver(seat: usize) -> Self {
        Self::new("deliver", move |bed| {
            bed.pair.deliver(bed.tree(seat).end);
        })
    }

    /// Time passes.
    #[must_use]
    pub fn wait(by: Duration) -> Self {
        Self::new("time passes", move |bed| bed.pair.advance(by))
    }
}

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explored {
    /// Orders that were played.
    pub orders: usize,
    /// The answers that each step got in some order; none if its client had gone in all.
    pub seen: BTreeMap<&'static str, BTreeSet<u32>>,
}

impl Explored {
    /// Sees that a step got exactly these answers, each in some order: the scenario goes where it is
    /// meant to.
    ///
    /// # Panics
    /// It did not.
    pub fn assert_seen(&self, name: &str, answers: &[NtStatus]) {
        let seen: Vec<NtStatus> = self
            .seen
            .get(name)
            .into_iter()
            .flatten()
            .map(|s| NtStatus(*s))
            .collect();
        let mut expected = answers.to_vec();
        expected.sort_by_key(|s| s.0);
        assert_eq!(seen, expected, "answers to {name}");
    }
}

/// Plays all orders of the actors' steps. `end` looks at each world when everything has come to its
/// end, before the clients go.
///
/// # Panics
/// In some order something happened that must not; the message names the order. Or there are more
/// than [`MAX_ORDERS`].
pub fn explore(world: impl Fn() -> Bed, actors: &[Vec<Act>], end: impl Fn(&mut Bed)) -> Explored {
    let mut order: Vec<usize> = actors
        .iter()
        .enumerate()
        .flat_map(|(actor, steps)| std::iter::repeat_n(actor, steps.len()))
        .collect();
    let mut explored = Explored::default();
    loop {
        assert!(
            explored.orders < MAX_ORDERS,
            "more than {MAX_ORDERS} orders"
        );
        let play = || {
            let played = catch_unwind(AssertUnwindSafe(|| play(&world, actors, &order, &end)));
            played.unwrap_or_else(|panic| {
                panic!(
                    "in the order {}: {}",
                    describe(actors, &order),
                    message(&*panic)
                )
            })
        };
        let (bed, trace) = play();
        for question in &bed.questions {
            let seen = explored.seen.entry(question.name).or_default();
            seen.extend(question.answer.map(|s| s.0));
        }
        if explored.orders.is_multiple_of(REPEAT) {
            let again = play().1 == trace;
            let order = describe(actors, &order);
            assert!(
                again,
                "in the order {order}: the second time goes otherwise"
            );
        }
        explored.orders += 1;
        if !next(&mut order) {
            return explored;
        }
    }
}

fn play(
    world: &impl Fn() -> Bed,
    actors: &[Vec<Act>],
    order: &[usize],
    end: &impl Fn(&mut Bed),
) -> (Bed, smb_proto::crypto::PreauthHash) {
    let mut bed = world();
    let mut at = vec![0; actors.len()];
    for &actor in order {
        (actors[actor][at[actor]].run)(&mut bed);
        at[actor] += 1;
        bed.look();
    }
    bed.conclude();
    end(&mut bed);
    bed.pair.finish();
    let trace = bed.pair.trace();
    (bed, trace)
}

/// The next arrangement in lexicographic order; `false` after the last.
fn next(order: &mut [usize]) -> bool {
    let Some(pivot) = order.windows(2).rposition(|w| w[0] < w[1]) else {
        return false;
    };
    if let Some(swap) = order.iter().rposition(|x| *x > order[pivot]) {
        order.swap(pivot, swap);
    }
    order[pivot + 1..].reverse();
    true
}

fn describe(actors: &[Vec<Act>], order: &[usize]) -> String {
    let mut at = vec![0; actors.len()];
    let names = order.iter().map(|&actor| {
        let name = actors[actor][at[actor]].name;
        at[actor] += 1;
        format!("{actor}:{name}")
    });
    names.collect::<Vec<_>>().join(", ")
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_orders_once() {
        let mut order = vec![0, 0, 1, 1, 2];
        let mut all = BTreeSet::new();
        loop {
            assert!(all.insert(order.clone()));
            if !next(&mut order) {
                break;
            }
        }
        assert_eq!(all.len(), 30);
    }

    fn one_request(allowed: &'static [NtStatus]) -> Explored {
        let open = Act::request(0, "open", allowed, |_| ops::open("missing").into());
        explore(|| Bed::new(Pair::new(), 1), &[vec![open]], |_| {})
    }

    #[test]
    fn answers_are_collected() {
        let explored = one_request(&[NtStatus::OBJECT_NAME_NOT_FOUND]);
        assert_eq!(explored.orders, 1);
        explored.assert_seen("open", &[NtStatus::OBJECT_NAME_NOT_FOUND]);
    }

    #[test]
    #[should_panic(expected = "in the order 0:open: open was answered")]
    fn an_answer_that_is_not_allowed() {
        one_request(&[NtStatus::SUCCESS]);
    }

    #[test]
    #[should_panic(expected = "was never answered")]
    fn a_request_without_answer() {
        // Its message id is one that CANCEL does not reach, and the server keeps waiting.
        let world = || {
            let mut bed = Bed::new(Pair::new(), 1);
            bed.pair.hold(|_| true);
            bed
        };
        let lost = Act::new("lost", |bed| {
            bed.note(0, "lost", &[], Asked::Request(MessageId(1 << 40)));
        });
        explore(world, &[vec![lost]], |_| {});
    }
}
