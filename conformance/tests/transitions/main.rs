//! Connection, session, tree connect, open and request as one state machine: every input in every
//! state leads where the specification says, or is answered with the error that it names. None "cannot
//! happen".

mod bed;
mod state;
mod table;

use proptest::prelude::*;

use bed::Bed;
use smb_proto::NtStatus;
use state::{COMMANDS, Input, Pending, Reaction, STATES, State, inputs};
use table::{Expected, ending, expected};

/// A first token where the second one is due, of a session that authenticates again: that fails, and
/// the session with it ([MS-SMB2] 3.3.5.5.3), as if it were logged off. The status is that of the
/// authentication protocol.
fn second_token(state: State) -> Expected {
    Expected {
        reaction: Reaction::Status(NtStatus::INVALID_PARAMETER),
        pending: ending(state).map_or(Pending::Unanswered, Pending::Answered),
        next: State::LoggedOff,
    }
}

/// One input in one state; what is not as the table says.
fn try_one(bed: &mut Bed, input: Input) -> Result<(), String> {
    let state = bed.state;
    let mut wanted = expected(state, input);
    if wanted.reaction == Reaction::Status(NtStatus::MORE_PROCESSING_REQUIRED)
        && state != State::Negotiated
        && std::mem::replace(&mut bed.again, true)
    {
        wanted = second_token(state);
        bed.again = false;
    }
    let (reaction, pending) = bed.step(input);
    if (reaction, pending) != (wanted.reaction, wanted.pending) {
        return Err(format!(
            "{input:?} in {state:?}: {reaction:?} {pending:?}, not {:?} {:?}",
            wanted.reaction, wanted.pending
        ));
    }
    bed.check_state(wanted.next)
        .map_err(|e| format!("after {input:?} in {state:?}: {e}"))
}

#[test]
fn every_input_in_every_state() {
    let mut wrong = Vec::new();
    let mut pairs = 0;
    for state in STATES {
        for input in inputs() {
            let mut bed = Bed::new(state);
            pairs += 1;
            match try_one(&mut bed, input) {
                Ok(()) => {
                    bed.pair.release();
                    bed.pair.finish();
                }
                Err(e) => wrong.push(e),
            }
        }
    }
    println!(
        "{pairs} pairs of {} states and {} inputs",
        STATES.len(),
        inputs().len()
    );
    assert!(
        wrong.is_empty(),
        "{} of {pairs}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Inputs that end the connection are rare, so that walks are long.
fn any_input() -> impl Strategy<Value = Input> {
    let all = inputs();
    prop_oneof![
        30 => prop::sample::select(COMMANDS.to_vec()).prop_map(Input::Request),
        5 => prop::sample::select(COMMANDS.to_vec()).prop_map(Input::Malformed),
        2 => Just(Input::Completion),
        1 => prop::sample::select(all),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("SANSMB_WALKS").ok().and_then(|n| n.parse().ok()).unwrap_or(200),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_step_of_a_walk(
        start in prop::sample::select(STATES.to_vec()),
        steps in prop::collection::vec(any_input(), 1..25),
    ) {
        let mut bed = Bed::new(start);
        for input in steps {
            // What closes at once would end most walks at their second step.
            if bed.state != State::Fresh && matches!(input, Input::Request(smb_proto::Command::Negotiate) | Input::Malformed(smb_proto::Command::Negotiate)) {
                continue;
            }
            let of_directory = matches!(bed.state, State::OpenDirectory | State::NotifyWaits);
            let again = bed.again;
            try_one(&mut bed, input).map_err(TestCaseError::fail)?;
            if again && !bed.again {
                // The client does not know that its session has gone, and takes no unsigned answers.
                break;
            }
            bed.settle();
            if of_directory && bed.state == State::Expired {
                // There the table means a file.
                break;
            }
        }
        bed.pair.release();
        bed.pair.finish();
    }
}
