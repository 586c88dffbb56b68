//! Two answers, field by field.

use serde_json::{Map, Value};

/// One field that differs. What a side does not have is [`Value::Null`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    /// Path of names, with `[..]` for elements of lists.
    pub(super) field: String,
    pub(super) captured: Value,
    pub(super) engine: Value,
}

/// Names by which elements of lists are told apart, in the order in which they are tried.
const KEYS: &[&str] = &["name", "file_name", "type", "context_type", "id", "sid"];

/// Appends what differs between two trees.
pub(super) fn diff(captured: &Value, engine: &Value, path: &str, out: &mut Vec<Pair>) {
    match (captured, engine) {
        (a, b) if a == b => {}
        (Value::Object(a), Value::Object(b)) => objects(a, b, path, out),
        (Value::Array(a), Value::Array(b)) => lists(a, b, path, out),
        (a, b) => out.push(Pair {
            field: path.to_owned(),
            captured: a.clone(),
            engine: b.clone(),
        }),
    }
}

fn objects(a: &Map<String, Value>, b: &Map<String, Value>, path: &str, out: &mut Vec<Pair>) {
    let join = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    for (key, value) in a {
        diff(value, b.get(key).unwrap_or(&Value::Null), &join(key), out);
    }
    for (key, value) in b {
        if !a.contains_key(key) {
            diff(&Value::Null, value, &join(key), out);
        }
    }
}

/// What names an element of a list, if all elements have such a name and no two the same.
fn names<'a>(list: &'a [Value], key: &str) -> Option<Vec<&'a str>> {
    let names: Vec<&str> = list
        .iter()
        .map(|v| v.get(key).and_then(Value::as_str))
        .collect::<Option<_>>()?;
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    (sorted.len() == names.len()).then_some(names)
}

/// Lists of named things are compared by name, and then their order; others by position.
fn lists<'a>(a: &'a [Value], b: &'a [Value], path: &str, out: &mut Vec<Pair>) {
    for key in KEYS {
        let (Some(left), Some(right)) = (names(a, key), names(b, key)) else {
            continue;
        };
        let by_name = |list: &'a [Value], names: &[&str], name: &str| -> Option<&'a Value> {
            names
                .iter()
                .position(|n| *n == name)
                .and_then(|i| list.get(i))
        };
        for (name, value) in left.iter().zip(a) {
            let other = by_name(b, &right, name).unwrap_or(&Value::Null);
            diff(value, other, &format!("{path}[{name}]"), out);
        }
        for (name, value) in right.iter().zip(b) {
            if !left.contains(name) {
                diff(&Value::Null, value, &format!("{path}[{name}]"), out);
            }
        }
        let common = |names: &[&str], others: &[&str]| -> Vec<Value> {
            let both = names.iter().filter(|n| others.contains(n));
            both.map(|n| Value::from(*n)).collect()
        };
        let (l, r) = (common(&left, &right), common(&right, &left));
        if l != r {
            out.push(Pair {
                field: format!("{path}.order"),
                captured: Value::Array(l),
                engine: Value::Array(r),
            });
        }
        return;
    }
    for n in 0..a.len().max(b.len()) {
        let side = |list: &'a [Value]| -> &'a Value { list.get(n).unwrap_or(&Value::Null) };
        diff(side(a), side(b), &format!("{path}[{n}]"), out);
    }
}

/// A value as one line of text.
#[must_use]
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// All leaves of a tree as path and text.
pub(super) fn flatten(value: &Value, path: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(value, &path, out);
            }
        }
        Value::Array(list) if list.iter().any(|v| v.is_object() || v.is_array()) => {
            let key = KEYS.iter().find_map(|key| names(list, key));
            for (n, value) in list.iter().enumerate() {
                let name = key.as_ref().and_then(|names| names.get(n).copied());
                let path = match name {
                    Some(name) => format!("{path}[{name}]"),
                    None => format!("{path}[{n}]"),
                };
                flatten(value, &path, out);
            }
        }
        leaf => out.push((path.to_owned(), text(leaf))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(a: Value, b: Value) -> Vec<String> {
        let mut out = Vec::new();
        diff(&a, &b, "", &mut out);
        out.into_iter()
            .map(|p| format!("{}: {} | {}", p.field, text(&p.captured), text(&p.engine)))
            .collect()
    }

    #[test]
    fn fields_are_named_by_their_path() {
        let none: Vec<String> = Vec::new();
        assert_eq!(fields(json!({"a": 1}), json!({"a": 1})), none);
        assert_eq!(
            fields(
                json!({"a": {"b": 1, "c": [1, 2]}, "d": "x"}),
                json!({"a": {"b": 2, "c": [1]}, "e": true})
            ),
            ["a.b: 1 | 2", "a.c[1]: 2 | -", "d: x | -", "e: - | true"]
        );
    }

    #[test]
    fn named_elements_are_compared_by_name() {
        assert_eq!(
            fields(
                json!({"list": [{"name": "x", "v": 1}, {"name": "y"}, {"name": "gone"}]}),
                json!({"list": [{"name": "y"}, {"name": "x", "v": 2}, {"name": "new"}]})
            ),
            [
                "list[x].v: 1 | 2",
                r#"list[gone]: {"name":"gone"} | -"#,
                r#"list[new]: - | {"name":"new"}"#,
                r#"list.order: ["x","y"] | ["y","x"]"#
            ]
        );
        // Twice the same name: by position.
        assert_eq!(
            fields(
                json!([{"name": "x"}, {"name": "x"}]),
                json!([{"name": "x"}])
            ),
            [r#"[1]: {"name":"x"} | -"#]
        );
    }

    #[test]
    fn leaves_are_listed_with_their_paths() {
        let mut out = Vec::new();
        let tree = json!({"a": {"b": [{"name": "n", "v": 1}], "c": [1, 2]}, "d": null});
        flatten(&tree, "", &mut out);
        let text: Vec<String> = out.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(text, ["a.b[n].name=n", "a.b[n].v=1", "a.c=[1,2]", "d=-"]);
    }
}
