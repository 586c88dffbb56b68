use super::*;
use proptest::prelude::*;

ndr_struct! {
    /// Mixed alignments, pointers before and after scalars.
    pub struct Inner {
        name: Option<WideStr>,
        kind: u16,
        id: u64,
        sids: Option<Vec<Option<Sid>>>,
    }
}

ndr_union! {
    /// Two arms.
    pub enum Choice: u16 {
        1 => One(Inner),
        2 => Two(u8),
        else ()
    }
}

ndr_call! {
    /// Everything.
    pub struct Params = 7 {
        flag: u8,
        list: Option<Vec<Inner>>,
        names: Varying<UnicodeString, 1000>,
        choice: Choice,
        handle: ContextHandle,
        old: OldLargeInteger,
    }
}

#[test]
fn lays_out_as_the_rules_say() {
    let p = Params {
        flag: 1,
        list: Some(vec![Inner {
            name: Some("ab".into()),
            kind: 2,
            id: 3,
            sids: None,
        }]),
        names: Varying(vec!["x".into()]),
        choice: Choice::Two(9),
        ..Params::default()
    };
    let wire = p.encode();
    #[rustfmt::skip]
    let expected: Vec<u8> = [
        &[1, 0, 0, 0][..],
        // Pointer to the list, its count, padding to eight.
        &[0, 0, 2, 0], &[1, 0, 0, 0], &[0; 4],
        // name, kind, id, sids
        &[4, 0, 2, 0], &[2, 0, 0, 0], &[3, 0, 0, 0, 0, 0, 0, 0], &[0; 4],
        // "ab" with its NUL
        &[3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, b'a', 0, b'b', 0, 0, 0], &[0; 2],
        // names: 1000, 0, 1; then the one string and its characters
        &[0xe8, 3, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        &[2, 0, 2, 0, 8, 0, 2, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, b'x', 0],
        // choice
        &[2, 0, 9], &[0; 3],
        &[0; 20],
        &[0; 8],
    ].concat();
    assert_eq!(&wire[..], &expected[..]);
    assert_eq!(Params::parse(&wire), Ok(p));
    assert_eq!(Params::OPNUM, 7);
}

#[test]
fn counts_are_checked_before_anything_is_made() {
    let one = |bytes: &[u8]| Option::<Vec<u32>>::default().tap(bytes);
    assert_eq!(
        one(&[1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]),
        Err(ParseError::Truncated(WHAT))
    );
    assert_eq!(
        one(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
        Err(ParseError::TooMany(WHAT))
    );
    let mut many = vec![1, 0, 0, 0];
    many.extend((MAX_ELEMENTS as u32 + 1).to_le_bytes());
    many.resize(200_000, 0);
    assert_eq!(one(&many), Err(ParseError::TooMany(WHAT)));

    let text = |bytes: &[u8]| WideStr::default().tap(bytes);
    assert_eq!(
        text(&[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 65, 0, 0, 0]),
        Err(ParseError::BadValue(WHAT)),
        "more characters than the maximum"
    );
    assert_eq!(
        text(&[2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 65, 0]),
        Err(ParseError::BadValue(WHAT)),
        "an offset"
    );
    assert_eq!(
        text(&[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xd8]),
        Err(ParseError::BadString(WHAT))
    );
    assert_eq!(
        text(&[9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 65, 0, 0, 0]),
        Ok(WideStr("A".into()))
    );
    assert_eq!(
        Sid::default().tap(&[2, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        Err(ParseError::BadValue(WHAT)),
        "two counts that differ"
    );
}

trait Tap: Ndr {
    fn tap(mut self, bytes: &[u8]) -> Result<Self, ParseError> {
        self.whole(&mut Reader::new(bytes)).map(|()| self)
    }
}
impl<T: Ndr> Tap for T {}

fn inner() -> impl Strategy<Value = Inner> {
    (
        prop::option::of("[a-zé🎉]{0,9}"),
        any::<u16>(),
        any::<u64>(),
        prop::option::of(prop::collection::vec(
            prop::option::of(crate::dtyp::any_sid()),
            0..4,
        )),
    )
        .prop_map(|(name, kind, id, sids)| Inner {
            name: name.map(WideStr),
            kind,
            id,
            sids,
        })
}

fn params() -> impl Strategy<Value = Params> {
    (
        any::<u8>(),
        prop::option::of(prop::collection::vec(inner(), 0..4)),
        prop::collection::vec(prop::option::of("[a-z東]{0,5}"), 0..4),
        prop_oneof![
            inner().prop_map(Choice::One),
            any::<u8>().prop_map(Choice::Two),
            (3u16..).prop_map(|t| Choice::Other(t, ())),
        ],
        any::<[u8; 20]>(),
        any::<i64>(),
    )
        .prop_map(|(flag, list, names, choice, handle, old)| Params {
            flag,
            list,
            names: Varying(names.into_iter().map(UnicodeString).collect()),
            choice,
            handle: ContextHandle(handle),
            old: OldLargeInteger(old),
        })
}

proptest! {
    #[test]
    fn round_trips_and_is_refused_when_cut(p in params()) {
        let wire = p.encode();
        prop_assert_eq!(Params::parse(&wire), Ok(p));
        for n in 0..wire.len() {
            prop_assert!(Params::parse(&wire[..n]).is_err());
        }
    }

    #[test]
    fn takes_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(p) = Params::parse(&bytes) {
            prop_assert_eq!(Params::parse(&p.encode()), Ok(p));
        }
    }
}
