//! The commands of `packaging/README.md` are run, beside a root directory of their own.
//!
//! Programs that change the machine, or that are not to be had here, are stood in for by scripts that note how they were
//! called and do of it what can be done: units are enabled by the real systemctl below the other root, and what a container
//! is given is held against the image that it is made of.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::process::tool;
use common::{Server, documents};
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What stands in for a program: its name, and what it does with its arguments.
const STAND_INS: &[(&str, &str)] = &[
    ("sudo", "exec \"$@\""),
    (
        "cargo",
        "case \"$*\" in
        'build --release') mkdir -p target/release && cp \"$SRVD\" target/release/srvd ;;
        'install cargo-deb') ;;
        deb) mkdir -p target/debian && touch target/debian/srvd_0.1.0-1_amd64.deb ;;
        *) exit 9 ;; esac",
    ),
    ("apt", "[ \"$1\" = install ] && test -f \"$2\""),
    (
        "systemctl",
        "case \"$*\" in
        daemon-reload) ;;
        'enable --now srvd') exec \"$SYSTEMCTL\" --root=\"$MACHINE\" enable srvd ;;
        *) exit 9 ;; esac",
    ),
    ("docker", ":"),
    ("kubectl", "[ \"$1 $2\" = 'apply --filename' ] && test -d \"$3\""),
];

/// A machine to install to, and a checkout to install from.
struct Machine {
    directory: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let machine = Self { directory };
        for place in ["bin", "checkout", "machine/usr/bin", "machine/etc/systemd/system"] {
            fs::create_dir_all(machine.at(place)).expect("a directory");
        }
        for (name, does) in STAND_INS {
            let script = machine.at(&format!("bin/{name}"));
            let text = format!("#!/bin/sh\necho \"{name} $*\" >>\"$NOTES\"\n{does}\n");
            fs::write(&script, text).expect("a script");
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a mode");
        }
        for name in ["packaging", "config.toml"] {
            symlink(Path::new(ROOT).join(name), machine.at("checkout").join(name)).expect("a link");
        }
        machine
    }

    fn at(&self, place: &str) -> PathBuf {
        self.directory.path().join(place)
    }

    /// Runs a block, which ends with the first command that fails, and gives what was called in it.
    #[track_caller]
    fn run(&self, block: &str, server: &Server) -> Vec<String> {
        let root = self.at("machine").display().to_string();
        let block = block.replace(" /usr/", &format!(" {root}/usr/")).replace(" /etc/", &format!(" {root}/etc/"));
        let places = [self.at("bin"), self.at("machine/usr/bin")].map(|place| place.display().to_string());
        let path = format!("{}:{}", places.join(":"), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("sh");
        command.args(["-exc", &block]).current_dir(self.at("checkout")).env("PATH", path);
        command.env("NOTES", self.at("notes")).env("MACHINE", &root).env("SRVD", env!("CARGO_BIN_EXE_srvd"));
        command.env("SYSTEMCTL", tool("systemctl", "systemd"));
        command.env("SRVD_SERVER", format!("http://{}", server.http[0]));
        let output = command.stdin(Stdio::null()).output().expect("sh runs");
        assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
        let notes = fs::read_to_string(self.at("notes")).expect("something was called");
        notes.lines().map(str::to_owned).collect()
    }
}

#[test]
fn on_a_machine_with_systemd() {
    let (machine, server) = (Machine::new(), Server::start());
    machine.run(&documents::block("packaging/README.md", "On a machine with systemd", "sh"), &server);
    let unit = fs::read_to_string(machine.at("machine/etc/systemd/system/srvd.service")).expect("the unit");
    // What the unit starts is what was installed, and with the configuration that was.
    for part in ["ExecStart=/usr/bin/srvd serve ", "/etc/srvd/config.toml"] {
        assert!(unit.contains(part), "{part}: {unit}");
    }
    for (place, mode) in [("usr/bin/srvd", 0o755), ("etc/srvd/config.toml", 0o644)] {
        let found = fs::metadata(machine.at("machine").join(place)).expect("it is installed");
        assert_eq!(found.permissions().mode() & 0o777, mode, "{place}");
    }
    let wanted = machine.at("machine/etc/systemd/system/multi-user.target.wants/srvd.service");
    assert!(wanted.is_symlink(), "it is started with the machine");
}

#[test]
fn as_a_debian_package() {
    let (machine, server) = (Machine::new(), Server::start());
    let called = machine.run(&documents::block("packaging/README.md", "As a Debian package", "sh"), &server);
    assert_eq!(called.last().map(String::as_str), Some("apt install ./target/debian/srvd_0.1.0-1_amd64.deb"));
}

/// The ports that the image says it listens on, such as `5300/udp`.
fn exposed() -> Vec<String> {
    let text = documents::read("packaging/docker/Dockerfile");
    let lines = text.lines().filter_map(|line| line.strip_prefix("EXPOSE "));
    lines.flat_map(str::split_whitespace).map(whole_port).collect()
}

fn whole_port(port: &str) -> String {
    if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") }
}

#[track_caller]
fn is_build(call: &str) {
    let words: Vec<&str> = call.split(' ').collect();
    let ["docker", "build", "--file", file, "--tag", _, "."] = words[..] else { panic!("{call}") };
    assert!(Path::new(ROOT).join(file).is_file(), "{file}");
}

#[test]
fn in_a_container() {
    let (machine, server) = (Machine::new(), Server::start());
    let called = machine.run(&documents::block("packaging/README.md", "In a container", "sh"), &server);
    let [build, run] = &called[..] else { panic!("{called:?}") };
    is_build(build);
    let words: Vec<&str> = run.split(' ').collect();
    let published = words.windows(2).filter(|pair| pair[0] == "--publish");
    let mut published: Vec<String> =
        published.map(|pair| whole_port(pair[1].rsplit(':').next().unwrap_or_default())).collect();
    let mut exposed = exposed();
    published.sort();
    exposed.sort();
    assert_eq!(published, exposed, "every port that the image has, and no other");
    let volume = words.windows(2).find(|pair| pair[0] == "--volume").expect("a volume")[1];
    let place = volume.rsplit(':').next().unwrap_or_default();
    assert!(documents::read("packaging/docker/Dockerfile").contains(&format!("VOLUME [\"{place}\"]")), "{place}");
}

#[test]
fn in_a_cluster() {
    let (machine, server) = (Machine::new(), Server::start());
    let called = machine.run(&documents::block("packaging/README.md", "In a cluster", "sh"), &server);
    let [build, push, apply] = &called[..] else { panic!("{called:?}") };
    is_build(build);
    // One image is built, pushed, and deployed.
    let image = push.strip_prefix("docker push ").expect("a push");
    assert!(build.contains(&format!("--tag {image} ")), "{build}");
    assert!(documents::read("packaging/kubernetes/deployment.yaml").contains(&format!("image: {image}\n")), "{image}");
    assert_eq!(apply, "kubectl apply --filename packaging/kubernetes/");
}

/// What stands there for CoreDNS is what `doctor` would have people write.
#[test]
fn the_zone_is_forwarded_as_doctor_says() {
    let server = Server::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_srvd"));
    command.args(["doctor", "--output", "json", "--zone", "svc.local", "--dns", "10.96.0.53:53"]);
    command.args(["--name", "localhost", "--server", &format!("http://{}", server.http[0])]);
    let output = command.output().expect("srvd runs");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let remedies = report["remedies"].as_array().expect("remedies");
    let remedy = remedies.iter().find(|remedy| remedy["resolver"] == "CoreDNS").expect("one for CoreDNS");
    let block = documents::block("packaging/README.md", "In a cluster", "corefile");
    assert_eq!(remedy["lines"].as_str().map(|lines| lines.replace("10.96.0.53:53", "10.96.0.53")), Some(block));
}
