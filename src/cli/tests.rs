//! The command line as a person types it: what parses, what is sent, what is printed, which exit code.

mod streams;

use std::io::Write;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use serde_json::{Value, json};

use super::ask::Streams;
use super::responder::{Responder, held_port};
use super::table::Screen;
use super::*;

/// The arguments of `srvd register web` with `options`.
pub(super) fn parse_register(options: &[&str]) -> RegisterArgs {
    let command = ["srvd", "register", "web"].iter().chain(options);
    match Cli::try_parse_from(command).unwrap().command {
        Command::Client(ClientCommand::Register(args)) => *args,
        other => panic!("{other:?}"),
    }
}

/// What came of a command.
pub(super) struct Outcome {
    pub(super) exit: Exit,
    pub(super) output: String,
    pub(super) errors: String,
}

/// Runs the client command `line` against `server`.
pub(super) fn srvd(server: &ServerUrl, line: &[&str], mut input: &[u8]) -> Outcome {
    let server = server.to_string();
    let words = ["srvd"].iter().chain(line).copied().chain(["--server", &server]);
    let Command::Client(command) = Cli::try_parse_from(words).unwrap().command else { panic!("{line:?}") };
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let mut streams = Streams { input: &mut input, output: &mut output, errors: &mut errors, screen: Screen::PLAIN };
    let exit = command.carry_out(&mut streams);
    let [output, errors] = [output, errors].map(|text| String::from_utf8(text).unwrap());
    Outcome { exit, output, errors }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_shows_examples() {
    for command in Cli::command().get_subcommands_mut() {
        let help = command.render_long_help().to_string();
        let example = format!("Examples:\n  srvd {}", command.get_name());
        assert!(help.contains(&example), "{help}");
    }
}

#[test]
fn what_takes_more_words_has_them_in_its_help() {
    for (command, words) in [
        ("drain", "succeeds when the instance is safe to stop"),
        ("maintenance", "belongs to the name"),
        ("resume", "whoever asked for it"),
        ("run", "runs on whatever becomes of"),
        ("top", "Esc leaves it"),
        ("doctor", "Nothing is changed"),
    ] {
        let help = Cli::command().find_subcommand_mut(command).unwrap().render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(words), "{help}");
    }
}

#[test]
fn examples_parse() {
    let mut parsed = 0;
    for command in Cli::command().get_subcommands() {
        let text = command.get_after_help().unwrap().to_string();
        assert!(text.lines().all(|line| line.len() <= 80), "{text} would be wrapped");
        for line in text.replace("\\\n", "").lines().skip(1).take_while(|line| line.starts_with("  ")) {
            let words = line.trim().split('\'').enumerate().flat_map(|(at, part)| match at % 2 {
                0 => part.split_whitespace().collect(),
                _ => vec![part],
            });
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            parsed += 1;
        }
    }
    assert!(parsed >= 15, "{parsed}");
}

#[test]
fn configuration_is_taken_as_typed() {
    let line = "srvd serve --config c.toml --dns 127.0.0.1:53,[::1]:53 --http :80 --data d --set a.b=1 --set c.d=x=y";
    let Command::Serve(args) = Cli::try_parse_from(line.split(' ')).unwrap().command else { panic!() };
    let wanted = ConfigArgs {
        config: Some("c.toml".into()),
        dns: Some("127.0.0.1:53,[::1]:53".into()),
        http: Some(":80".into()),
        data: Some("d".into()),
        set: vec!["a.b=1".into(), "c.d=x=y".into()],
    };
    assert_eq!(args, wanted);
    let Command::Check(args) = Cli::try_parse_from(["srvd", "check"]).unwrap().command else { panic!() };
    assert_eq!(args, ConfigArgs::default());
}

#[test]
fn lines_that_are_refused_as_usage() {
    use ErrorKind::*;
    for (line, kind) in [
        ("srvd", DisplayHelpOnMissingArgumentOrSubcommand),
        ("srvd nonsense", InvalidSubcommand),
        ("srvd serve extra", UnknownArgument),
        ("srvd serve --output json", UnknownArgument),
        ("srvd register", MissingRequiredArgument),
        ("srvd register web --port x", ValueValidation),
        ("srvd register web --ports 80", ValueValidation),
        ("srvd register web --meta team", ValueValidation),
        ("srvd register web --check nonsense", ValueValidation),
        ("srvd register web --id=", InvalidValue),
        ("srvd update web --weight 1", MissingRequiredArgument),
        ("srvd update web a --if-absent", UnknownArgument),
        ("srvd deregister web", MissingRequiredArgument),
        ("srvd services --watch 2s", UnknownArgument),
        ("srvd completions", MissingRequiredArgument),
        ("srvd completions sh", InvalidValue),
        ("srvd heartbeat web a --status lapsed", InvalidValue),
        ("srvd instances web --status well", InvalidValue),
        ("srvd instances web --meta team", ValueValidation),
        ("srvd pick", MissingRequiredArgument),
        ("srvd pick web --strategy best", InvalidValue),
        ("srvd watch web --since now", ValueValidation),
        ("srvd explain", MissingRequiredArgument),
        ("srvd explain web.svc.local A --client here", ValueValidation),
        ("srvd status web", UnknownArgument),
        ("srvd drain web", MissingRequiredArgument),
        ("srvd drain web a --wait=11m", ValueValidation),
        ("srvd drain web a --wait 1m", UnknownArgument),
        ("srvd maintenance web a --off --reason x", ArgumentConflict),
        ("srvd maintenance web a --off --wait", ArgumentConflict),
        ("srvd resume web a --wait", UnknownArgument),
        ("srvd services --limit x", ValueValidation),
        ("srvd services --output yaml", InvalidValue),
        ("srvd services --server https://localhost:8053", ValueValidation),
        ("srvd services --server localhost:8053", ValueValidation),
    ] {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line}");
    }
}

#[test]
fn what_is_sent() {
    for (line, sent, body) in [
        ("register web", "POST /v1/services/web/instances ", "{}"),
        ("register web --id a/b --port 1", "PUT /v1/services/web/instances/a%2Fb ", r#"{"port":1}"#),
        (
            "update web a --weight 0 --unset version",
            "PATCH /v1/services/web/instances/a ",
            r#"{"weight":0,"version":null}"#,
        ),
        ("deregister web a", "DELETE /v1/services/web/instances/a ", ""),
        ("heartbeat web a", "PUT /v1/services/web/instances/a/heartbeat ", ""),
        (
            "heartbeat web a --status draining --message bye",
            "PUT /v1/services/web/instances/a/heartbeat ",
            r#"{"status":"draining","message":"bye"}"#,
        ),
        ("drain web a", "PUT /v1/services/web/instances/a/drain ", ""),
        ("drain web a --wait", "PUT /v1/services/web/instances/a/drain?wait=10m ", ""),
        ("drain web a --wait=1m", "PUT /v1/services/web/instances/a/drain?wait=1m ", ""),
        ("maintenance web a", "PUT /v1/services/web/instances/a/maintenance ", ""),
        (
            "maintenance web a --reason disk --wait=5s",
            "PUT /v1/services/web/instances/a/maintenance?wait=5s ",
            r#"{"reason":"disk"}"#,
        ),
        ("maintenance web a --off", "DELETE /v1/services/web/instances/a/maintenance ", ""),
        ("resume web a", "PUT /v1/services/web/instances/a/resume ", ""),
        ("services", "GET /v1/services ", ""),
        ("services --tag t --prefix p --limit 5 --after n", "GET /v1/services?tag=t&prefix=p&limit=5&after=n ", ""),
        ("instances web", "GET /v1/services/web ", ""),
        ("pick web", "GET /v1/services/web/pick ", ""),
        (
            "pick web --strategy consistent_hash --key a&b --tag x",
            "GET /v1/services/web/pick?strategy=consistent_hash&key=a%26b&tag=x ",
            "",
        ),
        ("explain a.web", "GET /v1/explain?name=a.web&type=A ", ""),
        ("explain a&b SRV --client ::1", "GET /v1/explain?name=a%26b&type=SRV&client=%3A%3A1 ", ""),
        ("status", "GET /v1/status ", ""),
        (
            "instances web --status healthy --tag a --tag b --version 1 --meta k=v",
            "GET /v1/services/web?status=healthy&tag=a&tag=b&version=1&meta.k=v ",
            "",
        ),
    ] {
        let responder = Responder::json("200 OK", r#"{"safe":true}"#);
        let words: Vec<_> = line.split(' ').collect();
        let outcome = srvd(&responder.url(), &words, b"");
        assert_eq!((outcome.exit, outcome.errors.as_str()), (Exit::Done, ""), "{line}");
        let request = responder.request();
        assert!(request.starts_with(sent), "{line}: {request}");
        assert_eq!(request.split_once("\r\n\r\n").unwrap().1, body, "{line}");
    }
}

#[test]
fn what_is_printed() {
    let instance = r#"{"service":"web","id":"a","status":"healthy","port":80}"#;
    for (line, reply, table) in [
        ("register web --id a", instance, "instance  web/a\nstatus    healthy\nport      80\n"),
        ("update web a --weight 1", instance, "instance  web/a\nstatus    healthy\nport      80\n"),
        ("deregister web a", "", "deregistered web/a\n"),
        ("heartbeat web a", "", "renewed web/a\n"),
        ("pick web", instance, "instance  web/a\nstatus    healthy\nport      80\n"),
        (
            "explain web",
            r#"{"rcode":"NXDOMAIN","why":"there is no service web"}"#,
            "rcode  NXDOMAIN\nwhy    there is no service web\n",
        ),
        ("status", r#"{"revision":7}"#, "revision  7\n"),
        (
            "drain web a",
            r#"{"safe_at":"2026-07-01T10:00:05.5Z","safe":false}"#,
            "draining web/a; safe to stop at 2026-07-01T10:00:05.5Z\n",
        ),
        ("drain web a --wait", r#"{"safe_at":"2026-07-01T10:00:00Z","safe":true}"#, "draining web/a; safe to stop\n"),
        ("maintenance web a", r#"{"safe":true}"#, "web/a is in maintenance; safe to stop\n"),
        (
            "maintenance web a --off",
            r#"{"instance":{"status":"lapsed","reason":"its lease ran out"}}"#,
            "web/a is lapsed: its lease ran out\n",
        ),
        ("resume web a", r#"{"instance":{"status":"healthy"}}"#, "web/a is healthy\n"),
        ("resume web a", r#"{"safe":true}"#, "nothing holds web/a back; it is not registered\n"),
        ("services", r#"{"services":[{"service":"web","health":"down"}]}"#, "SERVICE  HEALTH\nweb      down\n"),
        ("instances web", r#"{"instances":[{"id":"a","status":"healthy"}]}"#, "INSTANCE  STATUS\na         healthy\n"),
    ] {
        let mut words: Vec<_> = line.split(' ').collect();
        let outcome = srvd(&Responder::json("200 OK", reply).url(), &words, b"");
        assert_eq!((outcome.exit, outcome.output.as_str()), (Exit::Done, table), "{line}");
        words.extend(["--output", "json"]);
        let outcome = srvd(&Responder::json("200 OK", reply).url(), &words, b"");
        let json = if reply.is_empty() { String::new() } else { format!("{reply}\n") };
        assert_eq!((outcome.exit, outcome.output), (Exit::Done, json), "{line}");
    }
}

#[test]
fn a_registration_from_a_file() {
    let registration = br#"{"service":"other","id":"f","port":80,"weight":5}"#;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(registration).unwrap();
    for (path, input) in [("-", &registration[..]), (file.path().to_str().unwrap(), b"")] {
        let responder = Responder::json("201 Created", "{}");
        let line = ["register", "web", "--file", path, "--weight", "0", "--if-absent"];
        assert_eq!(srvd(&responder.url(), &line, input).exit, Exit::Done);
        let request = responder.request();
        assert!(request.starts_with("PUT /v1/services/web/instances/f "), "{request}");
        assert!(
            request.contains("if-none-match: *\r\n") && request.ends_with(r#"{"weight":0,"port":80}"#),
            "{request}"
        );
    }
}

#[test]
fn refused() {
    for (line, status, body, errors) in [
        (
            "register web --id a --weight 70000",
            "422 Unprocessable Content",
            r#"{"title":"t","detail":"must be 0 to 65535","field":"weight"}"#,
            "srvd: web/a: weight: must be 0 to 65535\n",
        ),
        ("register web", "409 Conflict", r#"{"detail":"is a tag"}"#, "srvd: web: is a tag\n"),
        ("heartbeat web a", "404 Not Found", r#"{"detail":"not registered"}"#, "srvd: web/a: not registered\n"),
        ("instances web", "404 Not Found", r#"{"title":"Not Found"}"#, "srvd: web: Not Found\n"),
        ("watch web", "422 Unprocessable Content", r#"{"detail":"no"}"#, "srvd: web: no\n"),
        ("pick web", "503 Service Unavailable", r#"{"detail":"none"}"#, "srvd: web: none\n"),
        ("services", "502 Bad Gateway", "<html>", "srvd: the server answered 502 Bad Gateway without saying why\n"),
        ("services", "301 Moved", "", "srvd: the server answered 301 Moved Permanently without saying why\n"),
    ] {
        let mut words: Vec<_> = line.split(' ').collect();
        let outcome = srvd(&Responder::json(status, body).url(), &words, b"");
        assert_eq!(outcome.exit, Exit::Refused, "{line}");
        assert_eq!((outcome.output.as_str(), outcome.errors.as_str()), ("", errors), "{line}");
        // Programs get the same in an object on a line, with what the server said if that was JSON.
        words.extend(["--output", "json"]);
        let outcome = srvd(&Responder::json(status, body).url(), &words, b"");
        let said = serde_json::from_str::<Value>(body).map(|problem| json!({"problem": problem})).unwrap_or(json!({}));
        let mut expected = json!({"error": errors.trim_end().trim_start_matches("srvd: ")});
        expected.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        assert_eq!((outcome.exit, outcome.output.as_str()), (Exit::Refused, ""), "{line}");
        assert_eq!(outcome.errors, format!("{expected}\n"), "{line}");
    }
}

#[test]
fn a_wait_that_was_too_short_is_a_failure() {
    for (line, exit) in [("drain web a --wait=1s", Exit::Refused), ("drain web a", Exit::Done)] {
        let responder = Responder::json("200 OK", r#"{"safe_at":"2026-07-01T10:00:05Z","safe":false}"#);
        let words: Vec<_> = line.split(' ').collect();
        let outcome = srvd(&responder.url(), &words, b"");
        assert_eq!(outcome.exit, exit, "{line}");
        let told =
            outcome.errors == "srvd: web/a: caches may hold it until 2026-07-01T10:00:05Z; do not stop it before\n";
        assert_eq!(told, exit == Exit::Refused, "{}", outcome.errors);
    }
}

#[test]
fn a_server_that_is_not_srvd() {
    let responder = Responder::json("200 OK", "<html>");
    let url = responder.url();
    let outcome = srvd(&url, &["services"], b"");
    assert_eq!(outcome.exit, Exit::Refused);
    assert_eq!(outcome.errors, format!("srvd: {url} answered 200, but not in JSON; is it a srvd server?\n"));
}

#[test]
fn unreachable() {
    let (url, _held) = held_port();
    for command in ["services", "watch", "status"] {
        let outcome = srvd(&url, &[command], b"");
        assert_eq!((outcome.exit, outcome.output.as_str()), (Exit::Unreachable, ""));
        assert!(outcome.errors.starts_with(&format!("srvd: cannot reach {url}: ")), "{}", outcome.errors);
    }
}

#[test]
fn programs_are_told_of_every_failure_in_json() {
    let (away, _held) = held_port();
    let responder = Responder::json("200 OK", "<html>");
    let nobody = responder.url();
    for (server, line, exit, words) in [
        (&away, "services", Exit::Unreachable, "cannot reach "),
        (&away, "watch", Exit::Unreachable, "cannot reach "),
        (&away, "services --watch", Exit::Unreachable, "cannot reach "),
        (&away, "update web a", Exit::Usage, "there is nothing to change"),
        (&away, "register --file - --id a", Exit::Usage, "--id: name a SERVICE"),
        (&away, "register --file -", Exit::Usage, "--file -: entry 1 is no JSON object"),
        (&nobody, "services", Exit::Refused, "not in JSON"),
    ] {
        let words_of_line: Vec<_> = line.split(' ').chain(["--output", "json"]).collect();
        let outcome = srvd(server, &words_of_line, b"web");
        assert_eq!((outcome.exit, outcome.output.as_str()), (exit, ""), "{line}");
        assert_eq!(outcome.errors.lines().count(), 1, "{line}: {}", outcome.errors);
        let told: Value = serde_json::from_str(&outcome.errors).unwrap();
        assert!(told["error"].as_str().unwrap().contains(words), "{line}: {told}");
        assert!(told.get("problem").is_none(), "{told}");
    }
}

#[test]
fn usage_that_only_the_content_shows() {
    let (url, _held) = held_port();
    let large = " ".repeat((1 << 20) + 1);
    for (line, input, errors) in [
        ("register web --file /nonexistent/a", "", "srvd: --file /nonexistent/a: No such file"),
        ("register web --file -", "[]", "srvd: --file -: not a JSON object: "),
        ("register web --file -", "{", "srvd: --file -: not a JSON object: "),
        ("register web --file -", &large, "srvd: --file -: more than 1048576 octets"),
        ("register web --if-absent", "", "srvd: --if-absent: "),
        ("register --file - --if-absent", "{}", "srvd: --if-absent: name a SERVICE"),
        ("register --file - --id a", "{}", "srvd: --id: name a SERVICE"),
        ("register --file /nonexistent/a", "", "srvd: --file /nonexistent/a: No such file"),
        ("register --file -", "web", "srvd: --file -: entry 1 is no JSON object: expected value at line 1 column 1"),
        ("update web a", "", "srvd: there is nothing to change"),
        ("register web --meta a=1 --meta a=2", "", "srvd: --meta: \"a\" is given twice\n"),
    ] {
        let words: Vec<_> = line.split(' ').collect();
        let outcome = srvd(&url, &words, input.as_bytes());
        assert_eq!(outcome.exit, Exit::Usage, "{line}");
        assert!(outcome.errors.starts_with(errors), "{line}: {}", outcome.errors);
    }
    let long = "a".repeat(1 << 17);
    assert_eq!(srvd(&url, &["services", "--tag", &long], b"").exit, Exit::Usage);
}
