//! The `smb-server` command as its user sees it: answers, messages, exit codes.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smb-server"));
    command
        .args(args)
        .env_remove("SMB_SERVER_LOG")
        .env_remove("SMB_SERVER_PASSWORD")
        .stdin(Stdio::null());
    command
}

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the command to its end.
fn run(args: &[&str]) -> Run {
    command(args).output().unwrap().into()
}

/// Runs the command with something on its standard input.
fn run_with_input(args: &[&str], input: &str) -> Run {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap().into()
}

/// Asserts that the command fails with this exit code and exactly these lines.
#[track_caller]
fn fails(args: &[&str], code: i32, lines: &[&str]) {
    let run = run(args);
    assert_eq!(run.err.lines().collect::<Vec<_>>(), lines);
    assert_eq!(run.code, Some(code));
    assert_eq!(run.out, "");
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn usage() {
    assert_eq!(run(&[]).code, Some(2));
    assert_eq!(run(&["serve"]).code, Some(2));
    assert_eq!(run(&["fly"]).code, Some(2));
    let help = run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for word in ["serve", "run", "check", "user"] {
        assert!(help.out.contains(word), "{}", help.out);
    }
    assert!(run(&["--version"]).out.starts_with("smb-server "));
    // A password on the command line would be seen by all users of the machine.
    assert!(run(&["serve", "--help"]).out.contains("--password-file"));
    assert_eq!(run(&["serve", "/", "--password", "x"]).code, Some(2));
}

#[test]
fn bad_addresses() {
    let run = run(&["serve", "/", "--listen", "nowhere"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.err
            .contains("expected an address and port as in `192.168.1.7:4450`"),
        "{}",
        run.err
    );
}

#[test]
fn directories_that_cannot_be_served() {
    let folder = folder();
    let missing = folder.path().join("missing");
    fails(
        &["serve", text(&missing)],
        2,
        &[&format!(
            "smb-server: the directory `{}` does not exist; create it or name another",
            missing.display()
        )],
    );
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    fails(
        &["serve", text(&file)],
        2,
        &[&format!(
            "smb-server: `{}` is not a directory; name the directory that it is in",
            file.display()
        )],
    );
}

#[test]
fn names_of_shares() {
    let folder = folder();
    let run = run(&["serve", text(folder.path()), "--share", "a/b"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.err
            .starts_with("smb-server: `a/b` cannot be the name of a share; expected "),
        "{}",
        run.err
    );
}

#[test]
fn passwords_for_serve() {
    let folder = folder();
    let missing = folder.path().join("missing");
    let serve = |more: &[&str]| {
        let mut args = vec!["serve", text(folder.path())];
        args.extend(more);
        command(&args)
    };
    let run: Run = serve(&["--user", "anna", "--password-file", text(&missing)])
        .output()
        .unwrap()
        .into();
    assert_eq!(run.code, Some(2));
    assert!(
        run.err.starts_with(&format!(
            "smb-server: cannot read the password from `{}`: ",
            missing.display()
        )),
        "{}",
        run.err
    );
    let run: Run = serve(&["--user", "anna"])
        .env("SMB_SERVER_PASSWORD", "")
        .output()
        .unwrap()
        .into();
    assert_eq!(run.code, Some(2));
    assert_eq!(
        run.err,
        "smb-server: SMB_SERVER_PASSWORD is set, but: expected a password of 1 to 128 bytes\n"
    );
    let run: Run = serve(&["--user", "a:b"])
        .env("SMB_SERVER_PASSWORD", "secret")
        .output()
        .unwrap()
        .into();
    assert_eq!(run.code, Some(2));
    assert!(
        run.err.contains("`a:b` cannot be a user name"),
        "{}",
        run.err
    );
}

#[test]
fn check_prints_what_differs() {
    let folder = folder();
    let config = folder.path().join("smb.conf");
    fs::write(
        &config,
        format!(
            "[global]\nserver signing = mandatory\nlog file = /x\n\n[data]\npath = {}\nwritable = yes\n",
            folder.path().display()
        ),
    )
    .unwrap();
    let first = run(&["check", "--config", text(&config)]);
    assert_eq!(first.code, Some(0));
    assert_eq!(
        first.out,
        format!(
            "[global]\n\tserver signing = mandatory\n\n[data]\n\tpath = {}\n\tread only = no\n",
            folder.path().display()
        )
    );
    assert_eq!(
        first.err,
        format!(
            "warning: {}:3:1: Samba's `log file` is not supported and has no effect\n",
            config.display()
        )
    );
    let all = run(&["check", "--config", text(&config), "--all"]).out;
    assert!(all.contains("\tmax connections = 256\n") && all.contains("\tcomment = \"\"\n"));

    // What is printed is a configuration that comes to the same.
    for printed in [first.out.clone(), all] {
        fs::write(&config, printed).unwrap();
        let again = run(&["check", "--config", text(&config)]);
        assert_eq!(again.out, first.out);
    }
}

#[test]
fn check_names_every_mistake() {
    let folder = folder();
    let config = folder.path().join("smb.conf");
    fs::write(
        &config,
        "[global]\nserver signing = perhaps\nworkgruop = X\nlog file = /x\n[data]\n",
    )
    .unwrap();
    let at = config.display();
    fails(
        &["check", "--config", text(&config)],
        2,
        &[
            &format!("warning: {at}:4:1: Samba's `log file` is not supported and has no effect"),
            &format!(
                "smb-server: {at}:2:18: expected `auto` or `mandatory` for `server signing`, found `perhaps`"
            ),
            &format!(
                "smb-server: {at}:3:1: unknown parameter `workgruop`; did you mean `workgroup`?"
            ),
            &format!(
                "smb-server: {at}:5:2: the share `[data]` has no `path`; expected `path = /directory/to/serve`"
            ),
        ],
    );
}

#[test]
fn check_warns_of_missing_directories() {
    let folder = folder();
    let config = folder.path().join("smb.conf");
    fs::write(&config, "[data]\npath = /no/such/directory\n").unwrap();
    let run = run(&["check", "-c", text(&config)]);
    assert_eq!(run.code, Some(0));
    assert_eq!(
        run.err,
        format!(
            "warning: {}:2:8: the directory `/no/such/directory` does not exist; create it or name another\n",
            config.display()
        )
    );
}

#[test]
fn configurations_that_cannot_run() {
    let folder = folder();
    let config = folder.path().join("smb.conf");
    let missing = run(&["run", "--config", text(&config)]);
    assert_eq!(missing.code, Some(2));
    assert!(
        missing.err.starts_with(&format!(
            "smb-server: cannot read the configuration `{}`: ",
            config.display()
        )),
        "{}",
        missing.err
    );
    fs::write(&config, "[global]\nworkgroup = X\n").unwrap();
    fails(
        &["run", "--config", text(&config)],
        2,
        &[&format!(
            "smb-server: `{}` has no share to serve; expected a section such as `[files]` with `path = /directory`",
            config.display()
        )],
    );
    fs::write(&config, "[a]\npath = /no/such/a\n[b]\npath = /no/such/b\n").unwrap();
    fails(
        &["run", "--config", text(&config)],
        2,
        &[
            &format!(
                "smb-server: {}:2:8: the directory `/no/such/a` does not exist; create it or name another",
                config.display()
            ),
            &format!(
                "smb-server: {}:4:8: the directory `/no/such/b` does not exist; create it or name another",
                config.display()
            ),
        ],
    );
    fs::write(
        &config,
        format!(
            "[global]\nbind interfaces only = yes\ninterfaces = no-such-interface\n[a]\npath = {}\n",
            folder.path().display()
        ),
    )
    .unwrap();
    let run = run(&["run", "--log", "error", "--config", text(&config)]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.err.contains("which this machine does not have"),
        "{}",
        run.err
    );
}

#[test]
fn users_are_added_changed_and_removed() {
    let folder = folder();
    let users = folder.path().join("users.db");
    let db = text(&users);
    let password = folder.path().join("password");
    fs::write(&password, "password\n").unwrap();

    let add = run(&[
        "user",
        "add",
        "root",
        "--users",
        db,
        "--password-file",
        text(&password),
    ]);
    assert_eq!((add.code, add.err.as_str()), (Some(0), ""));
    assert_eq!(add.out, format!("added root to {db}\n"));
    assert_eq!(
        fs::read_to_string(&users).unwrap(),
        "root:iEb36u6PsRetBr3YMLdYbA==\n"
    );
    assert_eq!(
        fs::metadata(&users).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let add = run_with_input(
        &[
            "user",
            "add",
            "no such user",
            "--users",
            db,
            "--password-file",
            "-",
        ],
        "secret",
    );
    assert_eq!(add.code, Some(0));
    assert!(
        add.err
            .starts_with("note: the system has no user `no such user`"),
        "{}",
        add.err
    );
    assert_eq!(
        run(&["user", "list", "--users", db]).out,
        "root\nno such user\n"
    );

    fails(
        &["user", "add", "ROOT", "--users", db],
        2,
        &[
            "smb-server: the user `root` exists already; `smb-server user passwd root` changes the password",
        ],
    );
    fails(
        &["user", "add", "a:b", "--users", db],
        2,
        &[
            "smb-server: `a:b` cannot be a user name; expected 1 to 47 bytes without colons, control characters, and white space, `#` or `;` at the start",
        ],
    );
    let missing = format!(
        "smb-server: there is no user `bob` in `{db}`; `smb-server user list` shows who is"
    );
    fails(&["user", "delete", "bob", "--users", db], 2, &[&missing]);
    fails(&["user", "passwd", "bob", "--users", db], 2, &[&missing]);

    let passwd = run_with_input(
        &[
            "user",
            "passwd",
            "root",
            "--users",
            db,
            "--password-file",
            "-",
        ],
        "another\n",
    );
    assert_eq!(
        passwd.out,
        format!("changed the password of root in {db}\n")
    );
    assert!(!fs::read_to_string(&users).unwrap().contains("iEb36u6P"));
    let delete = run(&["user", "delete", "Root", "--users", db]);
    assert_eq!(delete.out, format!("removed Root from {db}\n"));
    assert_eq!(run(&["user", "list", "--users", db]).out, "no such user\n");
}

#[test]
fn the_database_beside_a_configuration() {
    let folder = folder();
    let config = folder.path().join("smb.conf");
    let add = run_with_input(
        &[
            "user",
            "add",
            "root",
            "-c",
            text(&config),
            "--password-file",
            "-",
        ],
        "x",
    );
    assert_eq!(add.code, Some(0), "{}", add.err);
    assert!(folder.path().join("ksmbdpwd.db").exists());
}

#[test]
fn databases_that_cannot_be_used() {
    let folder = folder();
    let users = folder.path().join("users.db");
    let db = text(&users);
    fs::write(&users, "root:x\nbob\n").unwrap();
    fs::set_permissions(&users, fs::Permissions::from_mode(0o644)).unwrap();
    fails(
        &["user", "list", "--users", db],
        2,
        &[&format!(
            "smb-server: the user database `{db}` can be read or written by everybody, and its hashes are as good as passwords; take that away with `chmod 600 {db}`"
        )],
    );
    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).unwrap();
    fails(
        &["user", "list", "--users", db],
        2,
        &[
            &format!(
                "smb-server: {db}:1: expected the 16 bytes of an NT hash in Base64 after the colon"
            ),
            &format!(
                "smb-server: {db}:2: expected `name:hash`, as `smb-server user add` writes it"
            ),
        ],
    );
    let nowhere = run_with_input(
        &[
            "user",
            "add",
            "root",
            "--users",
            "/no/such/dir/users.db",
            "--password-file",
            "-",
        ],
        "x",
    );
    assert_eq!(nowhere.code, Some(1));
    assert!(
        nowhere
            .err
            .starts_with("smb-server: cannot write the user database `/no/such/dir/users.db`: "),
        "{}",
        nowhere.err
    );
}

/// Without a terminal the password cannot be asked for; the message says what else there is.
#[test]
fn no_terminal_to_ask_on() {
    let folder = folder();
    let users = folder.path().join("users.db");
    let mut command = Command::new("setsid");
    let run: Run = command
        .arg("--wait")
        .arg(env!("CARGO_BIN_EXE_smb-server"))
        .args(["user", "add", "root", "--users", text(&users)])
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into();
    assert_eq!(run.code, Some(2));
    assert!(
        run.err.contains("give it with --password-file FILE"),
        "{}",
        run.err
    );
    assert!(!users.exists());
}

#[test]
fn filters_of_the_log() {
    let run = run(&["user", "list", "--users", "/no/such/file", "--log", "a=b=c"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.err.starts_with("smb-server: cannot log by `a=b=c`"),
        "{}",
        run.err
    );
}

/// The terminal of `script` stands for a person's. What is typed does not show.
fn typed(args: &[&str], answers: &[(&str, &str)]) -> (Option<i32>, String) {
    use std::io::Read as _;
    let line = std::iter::once(env!("CARGO_BIN_EXE_smb-server"))
        .chain(args.iter().copied())
        .collect::<Vec<_>>()
        .join(" ");
    let mut child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = Vec::new();
    for (prompt, answer) in answers {
        let mut byte = [0];
        while !seen.ends_with(prompt.as_bytes()) {
            assert_ne!(
                output.read(&mut byte).unwrap(),
                0,
                "{}",
                String::from_utf8_lossy(&seen)
            );
            seen.push(byte[0]);
        }
        // The prompt is printed a moment before echoing is turned off.
        std::thread::sleep(std::time::Duration::from_millis(300));
        writeln!(input, "{answer}").unwrap();
    }
    output.read_to_end(&mut seen).unwrap();
    (
        child.wait().unwrap().code(),
        String::from_utf8(seen).unwrap(),
    )
}

#[test]
fn passwords_typed_on_the_terminal() {
    let folder = folder();
    let users = folder.path().join("users.db");
    let (code, seen) = typed(
        &["user", "add", "root", "--users", text(&users)],
        &[
            ("New password for root: ", "password"),
            ("The same again: ", "password"),
        ],
    );
    assert_eq!(code, Some(0), "{seen}");
    assert!(
        seen.contains("added root") && !seen.contains("password\r"),
        "{seen}"
    );
    let content = fs::read_to_string(&users).unwrap();
    assert_eq!(content, "root:iEb36u6PsRetBr3YMLdYbA==\n");

    let (code, seen) = typed(
        &["user", "passwd", "root", "--users", text(&users)],
        &[
            ("New password for root: ", "one"),
            ("The same again: ", "two"),
        ],
    );
    assert_eq!(code, Some(2));
    assert!(
        seen.contains("the two passwords are not the same"),
        "{seen}"
    );
    assert_eq!(fs::read_to_string(&users).unwrap(), content);
}

#[test]
fn journals_that_cannot_be_made() {
    let dir = folder();
    let present = dir.path().join("present");
    fs::write(&present, "mine").unwrap();
    for (journal, why) in [
        (present.clone(), "File exists"),
        (dir.path().join("no/such"), "No such file or directory"),
    ] {
        let args = [
            "serve",
            text(dir.path()),
            "--guest",
            "--listen",
            "127.0.0.1:0",
        ];
        let run = run(&[&args[..], &["--journal", text(&journal)]].concat());
        assert_eq!(run.code, Some(1), "{}", run.err);
        let line = format!("cannot make the journal {}: {why}", journal.display());
        assert!(run.err.contains(&line), "{}", run.err);
    }
    assert_eq!(fs::read_to_string(&present).unwrap(), "mine");
}
