//! The examples, as they stand in the repository, against the real server.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;

use crate::common::http::Client as Http;
use crate::common::process::Process;
use crate::common::{Server, eventually};
use crate::{forgetful, same};

/// Where the examples are built: beside the server, by the profile that it was built with.
fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let server = PathBuf::from(env!("CARGO_BIN_EXE_srvd"));
    let directory = server.parent().expect("a directory");
    BUILT.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "--offline", "--examples", "--manifest-path"]);
        build.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        build.arg("--target-dir").arg(directory.parent().expect("the target directory"));
        // Build scripts look at what cargo tells them of a package, and would run again for what it tells this test.
        let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| told(&name.to_string_lossy())) {
            build.env_remove(name);
        }
        if directory.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo starts").success(), "the examples do not build");
    });
    directory.join("examples").join(name)
}

fn start(name: &str, server: &Server, arguments: &[&str]) -> Process {
    let mut command = Command::new(example(name));
    Process::start(command.args(arguments).env("SRVD_SERVER", format!("http://{}", server.http[0])))
}

/// The line that an example prints next.
fn line(process: &Process) -> String {
    process.stdout_line().expect("it prints a line")
}

#[test]
fn a_service_a_gateway_and_a_worker() {
    let server = forgetful("127.0.65.1");
    let mut service = start("service", &server, &["0"]);
    let registered = line(&service);
    let (id, port) =
        registered.strip_prefix("registered hello/").and_then(|rest| rest.split_once(" at port ")).unwrap();
    eventually("its check passes", || same(server.instance("hello", id)["status"].clone(), json!("healthy")));

    let gateway = start("gateway", &server, &["0"]);
    let address = line(&gateway).strip_prefix("listening at http://").unwrap().parse().unwrap();
    let gateway = Http::new(address);
    assert_eq!(gateway.get("/hello/").expect(200).text(), format!("hello from port {port}\n"));
    assert_eq!(gateway.get("/hello/health").expect(200).text(), "well");
    assert_eq!(gateway.get("/hello/nothing").status, 404, "what the service says is the answer");
    assert_eq!(gateway.get("/nobody/").status, 503);
    assert_eq!(gateway.get("/no%20name/").status, 404);
    assert!(gateway.get("/-/cache").expect(200).text().contains("services: 2"));

    let mut worker = start("worker", &server, &["hello", "3"]);
    for job in 0..3 {
        assert_eq!(line(&worker), format!("job {job} of customer-{job} is done: hello from port {port}"));
    }
    assert_eq!(line(&worker), "done");
    assert!(worker.wait().success());
    server.api.get("/v1/services/worker").expect(404);

    service.signal("TERM");
    assert_eq!((line(&service), line(&service)), ("leaving".to_owned(), "left".to_owned()));
    assert!(service.wait().success());
    server.api.get("/v1/services/hello").expect(404);
    eventually("the gateway knows", || same(gateway.get("/hello/").status, 503));
}
