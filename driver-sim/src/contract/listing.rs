use std::collections::BTreeSet;

use super::probe::Probe;

fn fill(p: &Probe<'_>, count: usize) -> Vec<String> {
    let mut names: Vec<String> = (0..count).map(|i| format!("name {i}")).collect();
    for name in &names {
        p.put(name, b"");
    }
    names.sort();
    names
}

pub(super) fn complete(p: &Probe<'_>) {
    let dir = p.open("");
    assert!(p.names(dir).is_empty());
    let names = fill(p, 300);
    for limit in [1, 7, 100, 300, 1000] {
        let mut got: Vec<_> = p
            .walk(dir, "*", limit)
            .into_iter()
            .map(|i| i.name)
            .collect();
        got.sort();
        assert_eq!(got, names, "{limit} at a time");
        // Behind the end is nothing.
        let more = p.list(dir, false, "*", 10).unwrap();
        assert!(more.items.is_empty() && more.end);
    }
}

pub(super) fn patterns(p: &Probe<'_>) {
    for name in ["a.txt", "b.TXT", "c.dat", "dir"] {
        p.put(name, b"");
    }
    let dir = p.open("");
    for (pattern, count) in [
        ("*.txt", 2),
        ("?.*", 3),
        ("DIR", 1),
        ("x*", 0),
        ("<.dat", 1),
    ] {
        assert_eq!(p.walk(dir, pattern, 1).len(), count, "{pattern}");
    }
}

pub(super) fn restarted(p: &Probe<'_>) {
    fill(p, 20);
    let dir = p.open("");
    let order: Vec<_> = p.walk(dir, "*", 100).into_iter().map(|i| i.name).collect();
    let first = p.list(dir, true, "*", 5).unwrap();
    let second = p.list(dir, false, "*", 5).unwrap();
    let again = p.list(dir, true, "*", 5).unwrap();
    assert_eq!(first, again);
    let both = first.items.iter().chain(&second.items).map(|i| &i.name);
    assert!(both.eq(order[..10].iter()), "the order changed");
}

pub(super) fn independent(p: &Probe<'_>) {
    fill(p, 20);
    let (one, two) = (p.open(""), p.open(""));
    let first = p.list(one, true, "*", 5).unwrap();
    assert_eq!(p.walk(two, "*", 3).len(), 20);
    let rest = p.list(one, false, "*", 100).unwrap();
    assert_eq!(first.items.len() + rest.items.len(), 20);
}

/// Names that stay are told exactly once, whatever happens to others meanwhile.
pub(super) fn changing(p: &Probe<'_>) {
    let names = fill(p, 200);
    let dir = p.open("");
    let mut seen = Vec::new();
    let mut touched = BTreeSet::new();
    let mut restart = true;
    for round in 0.. {
        let part = p.list(dir, restart, "*", 8).unwrap();
        restart = false;
        seen.extend(part.items.into_iter().map(|i| i.name));
        if part.end {
            break;
        }
        assert!(round < 200, "the walk does not end");
        let victim = &names[(round * 37) % names.len()];
        if touched.insert(victim.clone()) {
            let handle = p.open(victim);
            p.remove(handle, victim).unwrap();
            p.close(handle).unwrap();
        }
        let new = format!("new {round}");
        p.put(&new, b"");
        touched.insert(new);
    }
    for name in names.iter().filter(|n| !touched.contains(*n)) {
        let times = seen.iter().filter(|s| *s == name).count();
        assert_eq!(times, 1, "{name} was told {times} times");
    }
}

pub(super) fn items(p: &Probe<'_>) {
    p.put("f", b"12345");
    p.make_dir("d");
    let dir = p.open("");
    for item in p.walk(dir, "*", 10) {
        let opened = p.open_full(&item.name);
        assert_eq!(item.info.node, opened.info.node);
        assert_eq!(item.info.size, opened.info.size);
        assert_eq!(item.info.attributes, opened.info.attributes);
        assert_eq!(item.info.creation, opened.info.creation);
        assert_eq!(item.info.write, opened.info.write);
        assert_eq!(item.info.ea_size, opened.info.ea_size);
    }
}
